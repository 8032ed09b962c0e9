"""Which files a raw folder holds and what they are labelled.

Each form in which images come is a module of this package (the protocol `Layout`): its file, and a line in LAYOUTS.
A data set that is no folder yet (`embedded:`, `torchvision:`) is made one at `sightline init`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sightline.data.sources import classes, ilsvrc, overlooked, tables, tars
from sightline.data.sources.entries import stores
from sightline.data.sources.item import Item
from sightline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LAYOUTS", "Item", "Layout", "scan"]


class Layout(Protocol):
    """One form in which labelled images may lie in a folder; a module with these two functions is one."""

    def fits(self, folder: Path) -> bool:
        """Whether `folder` has this form; a few looks, never at every file."""
        ...

    def items(self, folder: Path) -> Iterator[Item]:
        """Every file that is, or should be, an image; each path once, in any order.

        Raises DataError where the form is broken as a whole.
        """
        ...


LAYOUTS: tuple[Layout, ...] = (tables, ilsvrc, tars, classes)
"""The first that fits is taken; class folders fit always. Listed by hand, so that code digests cover them."""


def scan(folder: Path) -> Iterator[Item]:
    """All labelled files below `folder`, in any order.

    Raises DataError where the folder is missing or holds no image.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder; name one that holds a folder of images per class")
    stores.cache_clear()
    layout = next(layout for layout in LAYOUTS if layout.fits(folder))
    found = False
    for item in layout.items(folder):
        found = True
        yield item
    if not found:
        others = overlooked.sentences(folder, ())
        raise DataError(
            f"{folder}: no images in class folders{_aside(others)}; expected {folder.name}/CLASS/IMAGE.jpg, "
            f"{folder.name}/train/CLASS/IMAGE.jpg, tar shards, Parquet or NumPy files, or a labels.csv with the "
            "columns path,label"
        )


def _aside(said: list[str]) -> str:
    return f" ({'; '.join(said)})" if said else ""
