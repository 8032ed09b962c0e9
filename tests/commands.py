"""The real command line in a process of its own, as a person gives it in a project."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def call(folder: Path, *words: str, given: Mapping[str, str] | None = None, trace: Path | None = None) -> str:
    """Give a command in `folder`; its output. It has to end well.

    `given`: variables beside those of the machine. `trace`: a file for every path that it and its children name.
    """
    own = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT", "MLFLOW", "SIGHTLINE"))}
    traced = [str(shutil.which("strace")), "-f", "-qq", "-e", "trace=%file", "-o", str(trace)] if trace else []
    done = subprocess.run(
        [*traced, sys.executable, "-P", "-m", "flows.cli", *words],
        cwd=folder,
        env={**own, **(given or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def asked(folder: Path, *words: str, given: Mapping[str, str] | None = None, trace: Path | None = None) -> Any:
    """The JSON that a command answers: nothing else may stand in its output."""
    return json.loads(call(folder, *words, "--json", given=given, trace=trace))
