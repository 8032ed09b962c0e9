"""What the examples share: a project that has learned from labelled images, and the values of an example."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")
SIGHTLINE = (sys.executable, "-P", "-m", "flows.cli")
"""The command `sightline` of this Python."""


def sightline(*words: str, folder: Path) -> None:
    """Give a command in a folder; where it fails it has said why, and this ends too."""
    status = subprocess.run([*SIGHTLINE, *words], cwd=folder, check=False).returncode
    if status:
        raise SystemExit(f"sightline {' '.join(words)}: exit status {status}")


def learn(project: Path, labelled: Path | None, overrides: Mapping[str, Any]) -> None:
    """Make the project from the labelled images where it is not there yet, and train where something changed."""
    if not (project / "params.yaml").is_file():
        if labelled is None:
            raise SystemExit(f"{project} is no project yet: name a folder of labelled images by --labelled")
        sightline("init", str(project.absolute()), "--images", str(labelled.absolute()), folder=Path.cwd())
    sets = (word for key, value in overrides.items() for word in ("--set", f"{key}={json.dumps(value)}"))
    sightline("run", *sets, folder=project)


def values(file: Path, kind: Callable[..., T]) -> T:
    """What a params file says; ends with the sentence why where it does not fit."""
    try:
        return kind(**YAML(typ="safe").load(file.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError, re.error, YAMLError) as error:
        raise SystemExit(f"{file}: {error}; compare it with the example's own params.yaml") from None
