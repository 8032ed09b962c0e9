"""The target's images that must be new to a backbone, and those among them that it learned from."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from sightline.data import manifest
from sightline.data.duplicates import across
from sightline.data.files.facts import read_bytes
from sightline.data.manifest import OK
from sightline.data.versions import archive
from sightline.data.versions.archive import Version
from sightline.errors import DataError
from sightline.images.reading import UnreadableImage
from sightline.registry.learned import Learned
from sightline.registry.trained import LEARNED_FROM, trained_on

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sightline.project import Paths
    from sightline.registry.learned import Past

HELD_OUT = ("val", "calib", "test")
"""Roles of the target on whose images a model is chosen, calibrated or judged."""
TAUGHT = {"source": LEARNED_FROM, "target": ("train",)}
"""Roles of a data set that count as learned from. Of a target only that one: a warm start is judged by the same images
as the model before it, which chose and calibrated by its own held-out ones and learned nothing of them."""
SHOWN = 3
"""Pairs that a sentence names; the page has all."""


@dataclass(frozen=True)
class Leak:
    """A picture of the target that the backbone learned from, as it is or as a near copy."""

    source: str
    """Path in what it learned from."""
    target: str
    """Path in the target."""
    role: str
    """What the target uses it for."""
    learned: Learned
    """What it learned from."""
    sha256: str
    """Of the picture there."""


def leaks(paths: Paths, past: Past) -> tuple[list[Leak], Past]:
    """Held-out images of the target that taught a backbone with that past, by their role and path.

    Beside them the past with what is not known after all: of a version from another project, data that cannot be had
    here. Raises DataError where manifest or images of this project's own versions can be found nowhere.
    """
    known, lost = _manifests(paths, past)
    asked = manifest.read(paths.manifest("target"))
    asked = asked[(asked["status"] == OK) & asked["role"].isin(HELD_OUT)].drop_duplicates("sha256")
    found = [leak for use in TAUGHT for leak in _shared(paths, use, [one for one in known if one[0].use == use], asked)]
    order = sorted(found, key=lambda leak: (HELD_OUT[::-1].index(leak.role), leak.target, leak.source))
    return order, past.without(lost)


def sentence(found: list[Leak]) -> str:
    """How many pictures the backbone knows, by role, and the first of them."""
    counts = Counter({leak.target: leak.role for leak in found}.values())
    said = ", ".join(f"{counts[role]} {role}" for role in HELD_OUT[::-1] if counts[role])
    pairs = ", ".join(f"{leak.target} = {leak.learned.words} {leak.source}" for leak in found[:SHOWN])
    return f"the backbone learned from {said} images of the target: {pairs}"


def bytes_of(paths: Paths, version: Version, path: str, digest: str) -> bytes | None:
    """Of an image as it was, from the raw folder or DVC's cache; None where neither holds it."""
    try:
        data = read_bytes(paths.raw(version.use), path) if version.use in paths.params.datasets else b""
    except (OSError, UnreadableImage):
        data = b""
    if hashlib.sha256(data).hexdigest() == digest:
        return data
    return archive.pictures(paths, version, [(path, digest)]).get(path)


def _manifests(paths: Paths, past: Past) -> tuple[list[tuple[Learned, pd.DataFrame]], list[Learned]]:
    """What each version of a data set taught, and those of other projects that are not to be had."""
    known, lost = [], []
    for one in past.data:
        try:
            rows = trained_on(paths, one.use, one.digest)
        except DataError:
            if not one.of or one.of.startswith(f"{paths.params.project.name}-"):
                raise
            lost.append(one)
        else:
            known.append((one, rows[(rows["status"] == OK) & rows["role"].isin(TAUGHT[one.use])]))
    return known, lost


def _shared(paths: Paths, use: str, known: Sequence[tuple[Learned, pd.DataFrame]], asked: pd.DataFrame) -> list[Leak]:
    """Of all versions of a data set at once: most of their images are the same."""
    if not known:
        return []
    taught = pd.concat([rows.assign(version=place) for place, (_, rows) in enumerate(known)]).drop_duplicates("sha256")
    version_of = {digest: known[place][0] for digest, place in zip(taught["sha256"], taught["version"], strict=True)}
    one = across.album(taught, paths.cache(use), _reader(paths, version_of))
    present = archive.current(paths, "target")
    mine = Learned(present.use, present.digest, present.raw)
    other = across.album(asked, paths.cache("target"), _reader(paths, dict.fromkeys(asked["sha256"], mine)))
    roles = asked["role"].tolist()
    pairs = across.shared(one, other, paths.cache("target").parent / "leaks")
    return [
        Leak(one.paths[first], other.paths[second], roles[second], version_of[digest], digest)
        for first, second in pairs
        for digest in [one.digests[first]]
    ]


def _reader(paths: Paths, version_of: dict[str, Learned]) -> Callable[[str, str], bytes | None]:
    def read(path: str, digest: str) -> bytes | None:
        one = version_of[digest]
        return bytes_of(paths, Version(one.use, one.digest, one.raw), path, digest)

    return read
