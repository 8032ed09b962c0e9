"""Class folders: CLASS/… or SPLIT/CLASS/…, however deep below, in one folder around everything or in none.

Taking a split for a class is the worst mistake here: the model would learn to tell the photographs of one from those of
the other, and be right every time. So whatever looks like splits is taken for such, or asked about.
"""

from __future__ import annotations

import os
import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from sightline.data.sources.entries import folders
from sightline.data.sources.item import (
    Item,
    begins_like_an_image,
    beside_split,
    files,
    plain,
    split_of,
    suffix_of,
)
from sightline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UNLABELLED = re.compile(r"[-_ .]*(unlabell?ed|unsup(ervised)?|nolabels?)[-_ .]*")
DATED = re.compile(r"[\d\W_]+")
"""A year, a day, a number: what divides the images of a class, and names none."""
NO_CLASS = frozenset(
    "all data dataset files image images img imgs jpegimages jpg photo photos pic pics picture pictures png raw".split()  # noqa: SIM905
)
"""Folders that are no class where they are the only one, in lower case."""
NAMED = 5
"""Folders that a sentence names before it counts the others."""


class Part(NamedTuple):
    """A folder in which each folder is a class."""

    below: str
    """Path in the raw folder, with a slash at its end; empty for the folder itself."""
    split: str | None = None
    labelled: bool = True
    """Where not, images lie in it directly: nobody said what they show."""


def fits(folder: Path) -> bool:  # noqa: ARG001 — the form of last resort
    """Always."""
    return True


def items(folder: Path) -> Iterator[Item]:
    """Every file in a class folder; files outside of any are told as such.

    Raises DataError where splits and classes cannot be told apart.
    """
    # The innermost first: one may lie in another.
    parts = sorted(divide(folder), key=lambda part: -len(part.below))
    for found in files(folder):
        part = next((part for part in parts if found.path.startswith(part.below)), None)
        inner = found.path[len(part.below) :].split("/")[:-1] if part and part.labelled else []
        split = part.split if part else None
        reason, closed = found.reason, found.reason is not None
        if inner:
            yield Item(found.path, plain(inner[0]), split, reason=reason, closed=closed)
        elif part and not part.labelled:
            reason = reason or f"no label: {part.below.rstrip('/')} has no class folders"
            yield Item(found.path, None, split, reason=reason, closed=closed)
        elif reason or suffix_of(found.path) or begins_like_an_image(f"{folder}/{found.path}"):
            reason = reason or "no label: the file lies outside of any class folder"
            yield Item(found.path, None, split, reason=reason, closed=closed)


def divide(folder: Path) -> list[Part]:
    """Where the class folders lie: in one part without a split, or in a part for each split; and what has no label.

    Raises DataError where that is a guess.
    """
    below = _around(folder, "")
    tops = sorted(_folders(folder, below))
    unlabelled = [top for top in tops if UNLABELLED.fullmatch(top.lower())]
    labelled = [top for top in tops if top not in unlabelled]
    parts = _splits(folder, below, labelled)
    if not parts:
        _ask_of_same_folders(folder, below, labelled)
        # `images` alone is where they lie, and says nothing of what they show.
        named = len(labelled) != 1 or labelled[0].lower() not in NO_CLASS
        parts = [Part(below) if named else Part(f"{below}{labelled[0]}/", labelled=False)]
    return parts + [Part(f"{below}{top}/", labelled=False) for top in unlabelled]


def unsplit(folder: Path) -> str | None:
    """The part in which all class folders lie, where images of another may join them; None where there are splits."""
    labelled = [part for part in divide(folder) if part.labelled]
    return labelled[0].below if labelled and labelled[0].split is None else None


def names(folder: Path, part: Part, most: int) -> list[str]:
    """The class folders of a part, as many as `most`."""
    return list(islice(_folders(folder, part.below), most)) if part.labelled else []


def _around(folder: Path, below: str, split: str | None = None) -> str:
    """The folder in `below` around all folders of images, where there is one; else `below`.

    One folder alone is no class: there would be nothing to tell it from. In a split it may be one that the others lack,
    unless it is named like the split.
    """
    inner, tops = below, list(islice(_folders(folder, below), 2))
    while len(tops) == 1 and split_of(tops[0]) == split:
        inner += f"{tops[0]}/"
        tops = list(islice(_folders(folder, inner), 2))
    return inner if tops else below


def _splits(folder: Path, below: str, tops: list[str]) -> list[Part]:
    """A part for each split, where the folders are such; else none.

    Raises DataError where only some are, or none of them holds class folders.
    """
    named = {top: split for top in tops if (split := split_of(top))}
    foldered = {top for top in named if not _is_flat(folder, f"{below}{top}/")}
    others = [top for top in tops if top not in named]
    splits = set(named.values())
    if not foldered:
        # `train_images` and `test_images` differ in the split alone; a `train_station` and a `test_tube` do not.
        if "train" in splits and len(splits) > 1 and not others and len({beside_split(top) for top in named}) == 1:
            raise DataError(
                f"{folder / below}: {', '.join(named)} look like splits of a data set, but hold images without class "
                f"folders; sort them into {next(iter(named))}/CLASS/, or say what each image shows in a labels.csv "
                "(path,label,split)"
            )
        return []
    whole = "train" in splits and len(splits) > 1
    classed = [top for top in others if set(_folders(folder, f"{below}{top}/")) - {top}]
    if classed and whole:
        raise DataError(
            f"{folder / below}: {', '.join(named)} look like splits of a data set, but {classed[0]} stands beside "
            "them; move it elsewhere, or say which image is what in a labels.csv"
        )
    if others and not whole:
        return []
    flat = [Part(f"{below}{top}/", labelled=False) for top in others]
    shared = _in_all_splits(folder, [f"{below}{top}/" for top in foldered])
    return flat + [
        Part(
            _around(folder, f"{below}{top}/{shared if top in foldered else ''}", split), split, labelled=top in foldered
        )
        for top, split in named.items()
    ]


def _is_flat(folder: Path, below: str) -> bool:
    """Whether a part has no class folders: none at all, or one that is called `images` and holds them."""
    tops = list(islice(_folders(folder, below), 2))
    alone = len(tops) == 1 and tops[0].lower() in NO_CLASS
    return not tops or (alone and next(_folders(folder, f"{below}{tops[0]}/"), None) is None)


def _in_all_splits(folder: Path, places: list[str]) -> str:
    """The one folder that each split holds alone, around its classes, with a slash at its end; else empty."""
    alone = [list(islice(_folders(folder, place), 2)) for place in places]
    name = alone[0][0]
    inner = all(
        one == [name] and next(_folders(folder, f"{place}{name}/"), None)
        for one, place in zip(alone, places, strict=True)
    )
    return f"{name}/" if inner and len(places) > 1 else ""


def _ask_of_same_folders(folder: Path, below: str, tops: list[str]) -> None:
    """Raise DataError where every folder holds the same folders: which are the classes is not ours to guess."""
    names: set[str] | None = None
    for top in tops:
        inner = set(_folders(folder, f"{below}{top}/"))
        if not inner or (names and inner != names):
            return
        names = inner
    if names is None or len(tops) < 2 or len(names) < 2 or all(map(DATED.fullmatch, names)):  # noqa: PLR2004
        return
    raise DataError(
        f"{folder / below}: each of {_some(tops)} holds the folders {_some(sorted(names))}: which of the two are the "
        "classes? Name splits train, val and test; or say what each image shows in a labels.csv (path,label)"
    )


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _folders(folder: Path, below: str) -> Iterator[str]:
    """Names of the folders in a part that hold images, however deep, in any order."""
    return (name for name in folders(os.fspath(folder), below) if next(files(folder, f"{below}{name}"), None))
