"""What the backbone learned from, and the target's images that must be new to it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sightline.data import manifest
from sightline.data.duplicates import across
from sightline.data.files.facts import read_bytes
from sightline.data.manifest import OK
from sightline.data.versions import archive
from sightline.data.versions.archive import Version
from sightline.images.reading import UnreadableImage
from sightline.registry.trained import LEARNED_FROM, trained_on

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sightline.project import Paths

HELD_OUT = ("val", "calib", "test")
"""Roles of the target on whose images a model is chosen, calibrated or judged."""
SOURCE = "data.source"
"""Tag of a version: the data set that its backbone learned from."""
SHOWN = 3
"""Pairs that a sentence names; the page has all."""


@dataclass(frozen=True)
class Leak:
    """A picture of the target that the backbone learned from, as it is or as a near copy."""

    source: str
    """Path in the source."""
    target: str
    """Path in the target."""
    role: str
    """What the target uses it for."""


def leaks(paths: Paths, source: str, raw: str | None) -> list[Leak]:
    """Held-out images of the target that the source of that DVC digest taught a backbone, by their role and path.

    raw: DVC digest of the source's raw folder, where DVC holds it. Raises DataError where manifest or images of that
    version can be found nowhere.
    """
    versions = {"source": Version("source", source, raw), "target": archive.current(paths, "target")}
    learned = trained_on(paths, "source", source)
    learned = learned[(learned["status"] == OK) & learned["role"].isin(LEARNED_FROM)]
    asked = manifest.read(paths.manifest("target"))
    asked = asked[(asked["status"] == OK) & asked["role"].isin(HELD_OUT)].drop_duplicates("sha256")
    one, other = (
        across.album(rows, paths.cache(use), partial(bytes_of, paths, versions[use]))
        for use, rows in (("source", learned), ("target", asked))
    )
    roles = asked["role"].tolist()
    pairs = across.shared(one, other, paths.cache("source").parent / "leaks")
    found = [Leak(one.paths[first], other.paths[second], roles[second]) for first, second in pairs]
    return sorted(found, key=lambda leak: (HELD_OUT[::-1].index(leak.role), leak.target, leak.source))


def learned_source(tags: Mapping[str, str]) -> str | None:
    """DVC digest of the source that a version with these tags learned from; None where it had no backbone."""
    stages = [one["stage"] for one in json.loads(tags.get("training", "[]"))]
    return None if stages and "pretrain" not in stages else tags.get(SOURCE)


def sentence(found: list[Leak]) -> str:
    """How many pictures the backbone knows, by role, and the first of them."""
    counts = Counter({leak.target: leak.role for leak in found}.values())
    said = ", ".join(f"{counts[role]} {role}" for role in HELD_OUT[::-1] if counts[role])
    pairs = ", ".join(f"{leak.target} = source {leak.source}" for leak in found[:SHOWN])
    return f"the backbone's source holds {said} images of the target, as copies or near copies: {pairs}"


def bytes_of(paths: Paths, version: Version, path: str, digest: str) -> bytes | None:
    """Of an image as it was, from the raw folder or DVC's cache; None where neither holds it."""
    try:
        data = read_bytes(paths.raw(version.use), path)
    except (OSError, UnreadableImage):
        data = b""
    if hashlib.sha256(data).hexdigest() == digest:
        return data
    return archive.pictures(paths, version, [(path, digest)]).get(path)
