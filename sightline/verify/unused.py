"""What training left behind and nothing has asked for since: each can be made anew, or comes back out of MLflow."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline import stored
from sightline.digests import tree_digest
from sightline.errors import Damaged
from sightline.evaluate.evaluation import BUNDLE
from sightline.registry.ledger import INSUFFICIENT, WAITING
from sightline.registry.opening import open_ledger
from sightline.tracking.versions import classifier_of
from sightline.train.result import RESULT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.project import Paths

DAY = 24 * 3600


@dataclass(frozen=True)
class Unused:
    """A result of a stage, a cache of features, or a copy of a version that nobody asks for any more."""

    path: str
    """Relative to the project."""
    bytes: int
    days: float
    """Between its last use and that of what was used last."""


def unused(paths: Paths, days: float) -> list[Unused]:
    """What was used last `days` before the project's latest result, or earlier; the largest first.

    What the champion, the one before it, or a version that waits for a person is made of is kept whatever its age: a
    champion whose files were damaged is made whole from it. A project that rests loses nothing by that. Raises
    RegistryError where the ledger cannot be read.
    """
    used = {place: _used(place) for place in _places(paths)}
    now = time.time()
    # What a clock that went ahead has written makes nothing older than it is.
    latest = max((when for when in used.values() if when <= now), default=0.0)
    old = {place: (latest - when) / DAY for place, when in used.items() if latest - when >= days * DAY}
    kept = _kept(paths) if old else set()
    found = [
        Unused(place.relative_to(paths.root).as_posix(), _size(place), age)
        for place, age in old.items()
        if not kept & _digests(place)
    ]
    return sorted(found, key=lambda one: -one.bytes)


def remove(paths: Paths, found: list[Unused]) -> None:
    """Remove what was `found`; of each either all or nothing counts afterwards, since readers look for it whole."""
    for one in found:
        place = paths.root / one.path
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


def _places(paths: Paths) -> Iterator[Path]:
    """Results and checkpoints of stages, caches of features, bundles and graphs; never a link."""
    folders = (*paths.runs.glob("*/*"), *(paths.mlflow / "bundles").glob("*"), *(paths.mlflow / "forms").glob("*"))
    for place in sorted(folders):
        is_ours = place.is_dir() or place.parent.name in {"features", "forms"}
        if is_ours and not place.is_symlink():
            yield place


def _used(place: Path) -> float:
    return max(one.lstat().st_mtime for one in (place, *place.rglob("*")))


def _size(place: Path) -> int:
    return sum(one.lstat().st_size for one in (place, *place.rglob("*")) if not one.is_dir())


def _digests(place: Path) -> set[str]:
    """By which the ledger may know it: its own name, and the weights that it is about."""
    try:
        told = stored.unseal(place / RESULT) if place.is_dir() else {}
    except Damaged:
        told = {}
    own = {tree_digest(place / BUNDLE)} if (place / BUNDLE).is_dir() else set()
    return {place.stem, str(told.get("weights", "")), *own} - {""}


def _kept(paths: Paths) -> set[str]:
    """Digests of the bundles, weights and graphs of versions that answer, answered before, or wait for a person."""
    model = classifier_of(paths.params.project.name)
    ledger = open_ledger(paths)
    try:
        standing, history = ledger.standing(model), ledger.history(model)
    finally:
        ledger.close()
    meant = {one.version for one in (standing.champion, standing.previous) if one}
    last = {entry.version: entry.decision for entry in history}
    meant |= {version for version, decision in last.items() if decision in {WAITING, INSUFFICIENT}}
    found: set[str] = set()
    for entry in history:
        if entry.version in meant:
            blessings = entry.evidence.get("blessings", [])
            graphs = {str(one["figures"].get("graph", "")) for one in blessings}
            found |= {entry.bundle or "", str(entry.evidence.get("bound", {}).get("weights", "")), *graphs}
    return found - {""}
