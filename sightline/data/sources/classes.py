"""Class folders: CLASS/… or SPLIT/CLASS/…, however deep below."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.data.sources.item import SPLITS, Found, Item, files, plain, suffix_of
from sightline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def fits(folder: Path) -> bool:  # noqa: ARG001 — the form of last resort
    """Always."""
    return True


def items(folder: Path) -> Iterator[Item]:
    """Every file in a class folder; files outside of any are told as such.

    Raises DataError where splits and classes stand side by side.
    """
    split_up = has_splits(folder)
    for found in files(folder):
        parts = found.path.split("/")
        split = SPLITS[parts[0].lower()] if split_up and len(parts) > 1 else None
        inner = parts[1:-1] if split_up else parts[:-1]
        if inner:
            yield Item(found.path, plain(inner[0]), split, reason=found.reason, closed=found.reason is not None)
        elif found.reason or suffix_of(found.path):
            yield _outside(found, split)


def _outside(found: Found, split: str | None) -> Item:
    reason = found.reason or "no label: the file lies outside of any class folder"
    return Item(found.path, None, split, reason=reason, closed=found.reason is not None)


def has_splits(folder: Path) -> bool:
    """Whether the top folders that hold images in folders are splits of a set, all of them.

    Raises DataError where only some are: a model would else learn to tell `train` from `val`.
    """
    tops = {top.name for top in folder.iterdir() if _is_class(top)}
    named = {top for top in tops if top.lower() in SPLITS and _has_folders(folder / top)}
    if not named:
        return False
    others = sorted(top for top in tops - named if next(files(folder / top), None))
    splits = {SPLITS[top.lower()] for top in named}
    if others and "train" in splits and len(splits) > 1:
        raise DataError(
            f"{folder}: {', '.join(sorted(named))} look like splits of a data set, but {others[0]} stands beside them; "
            "move it elsewhere, or say which image is what in a labels.csv"
        )
    return not others


def _has_folders(folder: Path) -> bool:
    return any(_is_class(inner) for inner in folder.iterdir())


def _is_class(place: Path) -> bool:
    return place.is_dir() and not place.is_symlink() and not place.name.startswith(".")
