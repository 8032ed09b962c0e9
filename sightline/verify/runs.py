"""What training and evaluation left behind: all of it can be made anew."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from typing import TYPE_CHECKING

from sightline import stored
from sightline.digests import file_digest
from sightline.errors import Damaged
from sightline.evaluate.evaluation import FIGURES, MANIFEST
from sightline.models.weights import WEIGHTS
from sightline.train.result import RESULT, Trained
from sightline.verify.finding import Finding, settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sightline.project import Paths

REFUSED = {"__exc_type__", "message"}
"""What Prefect stores of the error in which a flow ended: nothing reads it again."""
ANEW = "it is gone, and the next run makes it anew, from the same inputs the same"


def findings(paths: Paths, *, fix: bool) -> Iterator[Finding]:
    """Everything below `runs/` that says of itself what it is, and what tasks returned."""
    for path in sorted((paths.root / stored.RESULTS).glob("*")):
        if _is_refusal(path):
            continue
        trouble = _trouble(stored.result, path)
        yield settled("result of a task", path.name[:16], trouble, lambda path=path: _gone(path), fix=fix)  # type: ignore[misc]
    for path in sorted(paths.runs.glob("features/*.safetensors")):
        trouble = None if stored.is_whole(path) else "it is not as it was written"
        yield settled("features", path.name, trouble, lambda path=path: _gone(path), fix=fix)  # type: ignore[misc]
    for path in sorted(paths.runs.glob("*/*")):
        which = path.relative_to(paths.runs).as_posix()
        if path.suffix == ".json" and path.parent.name in {"plans", "speeds"}:
            kind, trouble = f"{path.parent.name} of a budget", _trouble(stored.unseal, path)
        elif (path / RESULT).is_file() or (path / WEIGHTS).is_file():
            kind, trouble = "trained stage", _trained(path)
        elif (path / MANIFEST).is_file():
            kind, trouble = "evaluation", _evaluated(path)
        else:
            continue
        yield settled(kind, which, trouble, lambda path=path: _gone(path), fix=fix)  # type: ignore[misc]


def _is_refusal(path: Path) -> bool:
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(told, dict) and told.keys() == REFUSED


def _trouble(read: Callable[[Path], object], path: Path) -> str | None:
    try:
        read(path)
    except Damaged as error:
        return str(error)
    return None


def _trained(folder: Path) -> str | None:
    try:
        told = stored.unseal(folder / RESULT, [one.name for one in fields(Trained)])
    except Damaged as error:
        return str(error)
    weights = folder / WEIGHTS
    if not weights.is_file() or file_digest(weights) != told.get("weights"):
        return f"{weights.name} is missing or was changed since training"
    return None


def _evaluated(folder: Path) -> str | None:
    try:
        told = stored.unseal(folder / MANIFEST)
        if FIGURES not in told.get(stored.FILES, {}):
            return f"{MANIFEST} is about other files"
        stored.check(folder, told[stored.FILES])
    except Damaged as error:
        return str(error)
    return None


def _gone(path: Path) -> str:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    return ANEW
