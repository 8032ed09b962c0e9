"""Files of a folder that are no images of the data set: every one is counted, and told by its ending."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from sightline.data.sources.entries import entries
from sightline.data.sources.item import is_mask, spelled, suffix_of
from sightline.words import counted, visible

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

HIDDEN, MASKS, NO_ENDING = "hidden or left by the system", "masks of other images", "without an ending"
ARCHIVES = frozenset((".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar"))
NAMED = 8
"""Endings that a sentence names before it counts the others."""


def overlooked(folder: Path, known: Container[str]) -> tuple[Counter[str], list[str]]:
    """How many files below `folder` are not among the paths `known`, by what they are; and the archives by path."""
    found: Counter[str] = Counter()
    archives = []
    for entry in entries(os.fspath(folder)):
        if entry.is_folder or (spelled(entry.path) in known and not entry.hidden):
            continue
        ending = suffix_of(entry.path)
        if not entry.hidden and ending in ARCHIVES:
            archives.append(entry.path)
        found[HIDDEN if entry.hidden else MASKS if is_mask(os.fspath(folder), entry.path) else ending or NO_ENDING] += 1
    return found, archives


def sentences(found: Counter[str], archives: list[str]) -> list[str]:
    """What is overlooked, and what to do about archives; nothing where nothing is."""
    if not found:
        return []
    kinds = ", ".join(f"{number:,} {visible(kind)}" for kind, number in found.most_common(NAMED))
    more = f" and {len(found) - NAMED} more endings" if len(found) > NAMED else ""
    said = [f"{counted(found.total(), 'other file')} not read: {kinds}{more}"]
    if archives:
        named = ", ".join(map(visible, archives[:NAMED]))
        said.append(f"nothing is read of {named}: unpack what belongs to the images, or name the archive as --images")
    return said
