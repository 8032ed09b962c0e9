"""What later stages need to know of a data set: small enough to cross a task boundary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.data.shards import read_index
from sightline.heads.labels import CLASSIFY

if TYPE_CHECKING:
    from sightline.project import Paths


@dataclass(frozen=True, kw_only=True)
class DataRef:
    """One version of a data set, ready for training."""

    use: str
    """source or target."""
    version: str
    """DVC digest of the manifest: images, labels and roles."""
    validation: str
    """DVC digest of the verdict."""
    shards: str
    """DVC digest of the shards."""
    size: int
    classes: tuple[str, ...]
    counts: tuple[tuple[str, int], ...]
    """Usable images of each role."""
    task: str = CLASSIFY
    """How the labels are meant."""


def describe(paths: Paths, use: str, version: str, validation: str, shards: str) -> DataRef:
    """The reference of a preprocessed data set.

    Raises DataError where its shards are not whole.
    """
    index = read_index(paths.shards(use))
    roles = sorted({shard.role for shard in index.shards})
    counts = tuple((role, index.count(role)) for role in roles)
    return DataRef(
        use=use,
        version=version,
        validation=validation,
        shards=shards,
        size=index.size,
        classes=index.classes,
        counts=counts,
        task=index.task,
    )
