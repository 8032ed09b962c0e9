"""The real command line in a process of its own, as a person gives it in a project."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]


def call(folder: Path, *words: str, given: Mapping[str, str] | None = None, trace: Path | None = None) -> str:
    """Give a command in `folder`; its output. It has to end well.

    `given`: variables beside those of the machine. `trace`: a file for every path that it and its children name.
    """
    traced = [str(shutil.which("strace")), "-f", "-qq", "-e", "trace=%file", "-o", str(trace)] if trace else []
    return _ended([*traced, sys.executable, "-P", "-m", "flows.cli", *words], folder, given or {})


def example(folder: Path, module: str, *words: str) -> str:
    """Run an example of this checkout in `folder`; its output. It has to end well."""
    return _ended([sys.executable, "-P", "-m", module, *words], folder, {"PYTHONPATH": str(ROOT)})


def _ended(words: list[str], folder: Path, given: Mapping[str, str]) -> str:
    own = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT", "MLFLOW", "SIGHTLINE"))}
    done = subprocess.run(words, cwd=folder, env={**own, **given}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def asked(folder: Path, *words: str, given: Mapping[str, str] | None = None, trace: Path | None = None) -> Any:
    """The JSON that a command answers: nothing else may stand in its output."""
    return json.loads(call(folder, *words, "--json", given=given, trace=trace))
