"""About how many images of each role a data set has, before any is read: what a budget is planned by."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sightline.data import manifest
from sightline.data.roles.split import shares_of
from sightline.data.sources import scan
from sightline.data.sources.item import files
from sightline.heads.labels import LABELS
from sightline.params import ROLES

if TYPE_CHECKING:
    from sightline.project import Paths


def expected(paths: Paths, use: str) -> dict[str, int]:
    """Role → about how many images of data set `use` it will have; the same before and after they are ingested.

    Raises DataError where the folder holds no image.
    """
    splits, fractions = _splits(paths, use), paths.params.datasets[use].roles
    found = dict.fromkeys(ROLES, 0.0)
    for split, number in splits.items():
        shares = shares_of(split, {name for name in splits if name}, fractions)
        for role, share in shares.items():
            found[role] += number * share / sum(shares.values())
    return {role: round(number) for role, number in found.items()}


def _splits(paths: Paths, use: str) -> Counter[str | None]:
    """Given split, or None → number of images that can be learned from, by what lies in the folder."""
    folder = paths.raw(use)
    splits: Counter[str | None] = Counter()
    if folder.is_dir() and LABELS[paths.params.task_of(use)].are_boxes:
        # To read all boxes takes far longer, and no network and size hang on them.
        splits[None] = sum(1 for one in files(folder) if one.reason is None)
    elif folder.is_dir():
        splits.update(one.split for one in scan(folder) if one.reason is None)
    if paths.manifest(use).is_file():
        # In the folder there is no label of what people labelled here.
        usable = int((manifest.read(paths.manifest(use))["status"] == manifest.OK).sum())
        splits[None] += max(0, usable - splits.total())
    return splits
