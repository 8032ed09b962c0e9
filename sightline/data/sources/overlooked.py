"""Files of a folder that are no images of the data set: every one is counted, and told by its ending."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from sightline.data.sources import tables
from sightline.data.sources.entries import entries, stores
from sightline.data.sources.item import is_mask, spelled, suffix_of
from sightline.images.reading import SUFFIXES
from sightline.words import counted, visible

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

HIDDEN, MASKS, NO_ENDING = "hidden or left by the system", "masks of other images", "without an ending"
STORED = "that links lead to, which count where those stand"
ARCHIVES = frozenset((".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar"))
NAMED = 8
"""Endings that a sentence names before it counts the others."""


def overlooked(folder: Path, known: Iterable[str]) -> tuple[Counter[str], list[str]]:
    """How many files below `folder` are no items, by what they are, and the archives by path.

    `known`: the paths of the items; the tables and tar files that say of them are known, too.
    """
    items = set(known)
    items |= {f"{path.partition('.tar/')[0]}.tar" for path in items if ".tar/" in path}
    items |= {table.relative_to(folder).as_posix() for table, _ in tables.tables(folder)}
    place, kept = os.fspath(folder), tuple(f"{store}/" for store in stores(os.fspath(folder)))
    found: Counter[str] = Counter()
    archives = []
    for entry in entries(place):
        if entry.is_folder or (spelled(entry.path) in items and not entry.hidden):
            continue
        ending = suffix_of(entry.path)
        if entry.hidden:
            kind = STORED if entry.path.startswith(kept) else HIDDEN
        elif ending in ARCHIVES:
            kind = ending
            archives.append(entry.path)
        else:
            kind = MASKS if is_mask(place, entry.path) else ending or NO_ENDING
        found[kind] += 1
    return found, archives


def hidden(folder: Path) -> tuple[int, list[str]]:
    """How many files of a folder are hidden, and that hidden folders hold images, as a class called `.5` does."""
    place, number = os.fspath(folder), 0
    images: Counter[str] = Counter()
    kept = tuple(f"{store}/" for store in stores(place))
    for entry in entries(place):
        if entry.is_folder or not entry.hidden or entry.path.startswith(kept):
            continue
        number += 1
        parts = entry.path.split("/")
        at = next((at for at, part in enumerate(parts[:-1]) if part.startswith(".")), None)
        if at is not None and suffix_of(entry.path) in SUFFIXES:
            images["/".join(parts[: at + 1])] += 1
    return number, [
        f"the folder {visible(path)} holds {counted(count, 'image')} and is hidden: rename it where they are of the set"
        for path, count in images.most_common(NAMED)
    ]


def sentences(folder: Path, known: Iterable[str]) -> list[str]:
    """What is overlooked, and what to do about archives; nothing where nothing is."""
    found, archives = overlooked(folder, known)
    if not found:
        return []
    _, unseen = hidden(folder) if found[HIDDEN] else (0, [])
    kinds = ", ".join(f"{number:,} {visible(kind)}" for kind, number in found.most_common(NAMED))
    more = f" and {len(found) - NAMED} more endings" if len(found) > NAMED else ""
    said = [f"{counted(found.total(), 'other file')} not read: {kinds}{more}"]
    if archives:
        named = ", ".join(map(visible, archives[:NAMED]))
        said.append(f"nothing is read of {named}: unpack what belongs to the images, or name the archive as --images")
    return said + unseen
