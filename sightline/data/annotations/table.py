"""Images and boxes of a folder as two tables, whatever form the annotations have; what cannot be used has a reason."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sightline.data.annotations.described import Box, Described
from sightline.images.boxes import iou
from sightline.images.reading import UnreadableImage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from sightline.data.annotations.tree import Tree

IMAGES: dict[str, str] = {
    "path": "string",  # relative to the folder, with forward slashes
    "width": "Int64",  # pixels, upright; null where it is not known
    "height": "Int64",
    "split": "string",  # train, val or test where the annotations or folders give one, else null
    "group": "string",  # what it belongs together with, where the annotations tell, else null
    "status": "string",  # ok · quarantined
    "reason": "string",  # why it is not ok, in words; else null
}
BOXES: dict[str, str] = {
    "path": "string",  # of the image
    "label": "string",  # class name
    "x1": "float64",  # edges in pixels of the upright image, counted from its upper left corner
    "y1": "float64",
    "x2": "float64",
    "y2": "float64",
    "crowd": "bool",  # around many objects that nobody told apart
    "difficult": "bool",  # neither asked for nor counted against an answer
    "status": "string",  # ok · cut (to the image that it reached out of) · quarantined
    "reason": "string",  # why it is not ok, in words; else null
}
OK, CUT, QUARANTINED = "ok", "cut", "quarantined"
UNLABELLED = "no label: no annotation is about it"
SAME = 1.5
"""Pixels by which the edges that two files give one box may differ: some round to whole ones."""
EXACT = 0.005
"""Pixels that labels do not tell: an edge that was a share of the image's may come back beyond it by less."""
DUPLICATE = 0.95
"""Overlap from which on two boxes of a class are one that was drawn twice."""


class Image(NamedTuple):
    """An image that can be used."""

    path: str
    width: int
    height: int
    split: str | None
    group: str | None = None


@dataclass(frozen=True)
class Annotations:
    """The tables `images` and `boxes`, as IMAGES and BOXES describe them."""

    images: pd.DataFrame
    boxes: pd.DataFrame

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names of the usable boxes of usable images, sorted."""
        return tuple(sorted({box.label for _, boxes in self.each() for box in boxes}))

    def each(self) -> Iterator[tuple[Image, list[Box]]]:
        """The images that can be used, each with its usable boxes; none is an answer too."""
        kept: dict[str, list[Box]] = {}
        names = [name for name in BOXES if name not in {"path", "status", "reason"}]
        usable = self.boxes[self.boxes["status"] != QUARANTINED]
        for path, *values in usable[["path", *names]].itertuples(index=False):
            kept.setdefault(path, []).append(Box(**dict(zip(names, values, strict=True))))
        fine = self.images[self.images["status"] == OK]
        for path, width, height, *more in fine[["path", "width", "height", "split", "group"]].itertuples(index=False):
            split, group = (one if isinstance(one, str) else None for one in more)
            yield Image(path, int(width), int(height), split, group), kept.get(path, [])


def assemble(tree: Tree, described: Iterable[Described]) -> Annotations:
    """Hold what the files say against the images and against one another."""
    import pandas as pd

    by_image: dict[str, list[Described]] = {path: [] for path in tree.images}
    for one in described:
        by_image.setdefault(one.path, []).append(one)
    images, boxes = [], []
    for path, told in by_image.items():
        one, reason = _one(path, told)
        width = height = None
        if path in tree.images and not tree.images[path]:
            try:
                width, height = tree.size(path)
            except UnreadableImage as error:
                reason = str(error)
        if one.size and width and height and one.size != (width, height):
            reason = reason or (
                f"its boxes were drawn on {one.size[0]}×{one.size[1]} pixels, the upright image has {width}×{height}"
            )
        groups = sorted({other.group for other in told if other.group})
        if len(groups) > 1:
            reason = reason or f"it is said to be of the groups {' and '.join(groups)}"
        group = groups[0] if groups else None
        images.append((path, width, height, one.split, group, QUARANTINED if reason else OK, reason))
        if width and height:
            boxes += _checked(path, one.boxes, width, height)
    return Annotations(
        pd.DataFrame(images, columns=list(IMAGES)).astype(IMAGES),
        pd.DataFrame(boxes, columns=list(BOXES)).astype(BOXES),
    )


def _one(path: str, told: list[Described]) -> tuple[Described, str | None]:
    """What is said of an image, where all agree; the reason why it cannot be used."""
    # An image without a file of its own has no box only if no other form knows better.
    loud = [one for one in told if one.origin] or told
    if not loud:
        return Described(path=path, origin=""), UNLABELLED
    first, *others = loud
    reason = next((one.reason for one in loud if one.reason), None)
    for other in others:
        if not agree(first.boxes, other.boxes):
            same = first.origin == other.origin
            where = f"two entries of {first.origin}" if same else f"{first.origin} and {other.origin}"
            reason = reason or f"{where} contradict one another about it"
    return first, reason


def agree(boxes: tuple[Box, ...], others: tuple[Box, ...]) -> bool:
    """Whether each box of one has its own in the other, of the same class and place."""
    left = list(others)
    for box in boxes:
        edges = box.edges
        found = next(
            (
                one
                for one in left
                if one.label == box.label
                and all(abs(mine - theirs) <= SAME for mine, theirs in zip(edges, one.edges, strict=True))
            ),
            None,
        )
        if found is None:
            return False
        left.remove(found)
    return not left


def _checked(path: str, boxes: tuple[Box, ...], width: int, height: int) -> list[tuple[object, ...]]:
    """Rows of the table for the boxes of one image."""
    rows: list[tuple[object, ...]] = []
    kept: list[Box] = []
    for box in boxes:
        edges, status, reason = box.edges, OK, None
        if not all(map(math.isfinite, edges)):
            status, reason = QUARANTINED, "an edge is no number"
        elif box.x2 <= box.x1 or box.y2 <= box.y1:
            status, reason = QUARANTINED, "no area: its right or lower edge is not beyond the opposite one"
        else:
            x1, y1, x2, y2 = max(box.x1, 0.0), max(box.y1, 0.0), min(box.x2, float(width)), min(box.y2, float(height))
            if x2 <= x1 or y2 <= y1:
                status, reason = QUARANTINED, f"outside the image of {width}×{height} pixels"
            else:
                inside = (x1, y1, x2, y2)
                if max(abs(one - other) for one, other in zip(inside, edges, strict=True)) > EXACT:
                    status, reason = CUT, f"reached out of the image of {width}×{height} pixels: {_words(edges)}"
                edges = inside
        if status != QUARANTINED and not box.crowd:
            same = [one for one in kept if one.label == box.label]
            if same and _overlap(edges, same) >= DUPLICATE:
                status, reason = QUARANTINED, f"drawn twice: another {box.label} is at its place"
            else:
                kept.append(box)
        rows.append((path, box.label, *edges, box.crowd, box.difficult, status, reason))
    return rows


def _overlap(edges: tuple[float, ...], others: list[Box]) -> float:
    return float(iou(np.array([edges]), np.array([one.edges for one in others])).max())


def _words(edges: tuple[float, ...]) -> str:
    return " ".join(f"{edge:.6g}" for edge in edges)
