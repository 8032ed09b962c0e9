"""What the examples share: a project that has learned from labelled images, its answers, the values of an example."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd
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


def scored(project: Path, photos: Path, name: str) -> list[dict[Any, Any]]:
    """The answer of `sightline score` to each photograph; its table is called `name` and lies in the project."""
    table = project.absolute() / f"{name}.parquet"
    sightline("score", str(photos), "--out", str(table), folder=project)
    rows = pd.read_parquet(table).astype(object)
    # Missing answers are None, as in the rest of the table, and not numbers.
    return rows.where(rows.notna(), None).to_dict("records")


def day_of(text: str) -> date | None:
    """The date in a name; None where it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def interval(some: int, photos: int) -> tuple[float, float]:
    """Where a share lies with 95 % confidence (Wilson 1927)."""
    from scipy.stats import binomtest

    found = binomtest(some, photos).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def values(file: Path, kind: Callable[..., T]) -> T:
    """What a params file says; ends with the sentence why where it does not fit."""
    try:
        return kind(**YAML(typ="safe").load(file.read_text(encoding="utf-8")))
    except (OSError, TypeError, ValueError, re.error, YAMLError) as error:
        raise SystemExit(f"{file}: {error}; compare it with the example's own params.yaml") from None
