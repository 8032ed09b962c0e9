"""Images with boxes on their way into a project, as items of a data set, and what is said of them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from sightline.data.annotations import read, root
from sightline.data.annotations.table import OK, QUARANTINED, UNLABELLED
from sightline.data.annotations.tree import MISSING
from sightline.data.sources import copying
from sightline.data.sources.item import Item
from sightline.errors import DataError
from sightline.heads.located import SEPARATOR, text_of
from sightline.words import counted, tally, visible

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.data.annotations.table import Annotations

NAMED = 5
"""Reasons that are told."""


def bring(given: Path, target: Path) -> list[str]:
    """Copy a file of annotations and the images that it tells of into the new folder `target`; what was left out."""
    found, folder = read(given), root(given)
    left = {}
    for path in [given.relative_to(folder).as_posix(), *found.images["path"]]:
        place, origin = target / path, folder / path
        if path.startswith("/") or not origin.is_file():
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if reason := copying.clone(origin, place):
            left[path] = reason
    return [copying.sentence(left)] if left else []


def items(found: Annotations) -> Iterator[Item]:
    """Every image, its label the text of its boxes (`heads.located`)."""
    usable = {image.path: (image, boxes) for image, boxes in found.each()}
    for path, reason, *more in found.images[["path", "reason", "split", "group"]].itertuples(index=False):
        split, group = (one if isinstance(one, str) else None for one in more)
        if path not in usable:
            yield Item(path, None, split, group, reason=str(reason), closed=MISSING in str(reason))
            continue
        image, boxes = usable[path]
        odd = next((box.label for box in boxes if SEPARATOR in box.label), None)
        if odd is not None:
            yield Item(path, None, split, group, reason=f"a class is called {odd!r}: rename it without {SEPARATOR!r}")
            continue
        yield Item(path, text_of(image.width, image.height, (box.located for box in boxes)), split, group)


def described(folder: Path) -> list[str]:
    """How many images with boxes of which classes lie in a folder, and what of them cannot be used.

    Raises DataError where there is no box to learn from.
    """
    found = read(folder)
    boxes: Counter[str] = Counter()
    images = without = 0
    for _, rows in found.each():
        images, without = images + 1, without + (not rows)
        boxes.update(box.label for box in rows)
    if not boxes:
        raise DataError(f"{folder}: no image there has a box that can be used; `sightline data boxes` tells why")
    said = [f"{counted(images, 'image')} with boxes around {tally(boxes)}, in {folder}; {without:,} show none"]
    waiting = int((found.images["reason"] == UNLABELLED).sum())
    if waiting:
        said.append(f"{waiting:,} without annotations are left out")
    return said + refused(found)


def refused(found: Annotations) -> list[str]:
    """Which images and boxes are left out, and why."""
    images = found.images[(found.images["status"] != OK) & (found.images["reason"] != UNLABELLED)]
    boxes = found.boxes[found.boxes["status"] == QUARANTINED]
    return [
        sentence
        for table, what in ((images, "image"), (boxes, "box"))
        for sentence in _reasons(table["path"].tolist(), table["reason"].tolist(), what)
    ]


def _reasons(paths: list[str], reasons: list[str], what: str) -> list[str]:
    """How many of a kind are left out, with the first one of each reason."""
    first: dict[str, str] = {}
    for path, reason in zip(paths, reasons, strict=True):
        first.setdefault(reason, path)
    numbers = Counter(reasons)
    return [
        f"{what} left out: {reason}, {number:,} times, first {visible(first[reason])}"
        for reason, number in numbers.most_common(NAMED)
    ]
