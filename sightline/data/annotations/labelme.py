"""Labelme's JSON, a file beside each image: of rectangles, outlines, circles and masks the box around each is taken."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

from sightline.data.annotations.described import Box, Described, around, size_of
from sightline.data.annotations.tree import split_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sightline.data.annotations.described import Edges
    from sightline.data.annotations.tree import Tree

LOOK = 1 << 16
"""Bytes at the beginning of a file; the picture that it may hold comes after the shapes."""
SHAPES = re.compile(rb'^(?:\xef\xbb\xbf)?\s*\{.*"shapes"\s*:\s*\[', re.DOTALL)
BOUNDED = ("rectangle", "polygon", "mask", "")
"""Types of shapes whose points bound them; files of old have none, and outlines alone."""
CIRCLE = "circle"


def files(tree: Tree) -> list[str]:
    """The files of this form, as their beginnings show."""
    return [path for path in tree.texts_named(".json") if SHAPES.match(tree.head(path, LOOK))]


def read(tree: Tree) -> Iterator[Described]:
    """The image of each file of this form, those too that turn out to be broken."""
    for path in files(tree):
        yield _read(tree, path)


def _read(tree: Tree, path: str) -> Described:
    """The image that bears the file's name; only where there is none, that of its `imagePath`."""
    place = path.rpartition("/")[0]
    image, reason = tree.find(path.removesuffix(".json").rpartition("/")[2], place)
    try:
        told = json.loads((tree.folder / path).read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:
        return Described(path=image, origin=path, reason=f"{path} cannot be read as JSON: {error}")
    if reason:
        other = tree.find(str(told.get("imagePath") or ""), place)
        image, reason = other if other[1] is None else (image, reason)
    boxes = []
    for number, shape in enumerate(told["shapes"], start=1):
        where = f"shape {number} of {path}"
        try:
            label = str(shape.get("label") or "").strip()
            boxes.append(Box.at(label, _edges(shape)))
        except (AttributeError, KeyError, TypeError, ValueError):
            reason = reason or f"{where} has no box around it"
            continue
        if not label:
            reason = reason or f"{where} has no label"
    return Described(
        path=image,
        origin=path,
        boxes=tuple(boxes),
        size=size_of(told.get("imageWidth"), told.get("imageHeight")),
        split=split_in(image),
        reason=reason,
    )


def _edges(shape: Mapping[str, Any]) -> Edges:
    """Raises KeyError, TypeError and ValueError where there are none."""
    form, points = str(shape.get("shape_type") or ""), [(float(x), float(y)) for x, y in shape["points"]]
    if form == CIRCLE:
        (x, y), edge = points
        radius = math.dist((x, y), edge)
        return x - radius, y - radius, x + radius, y + radius
    if form not in BOUNDED:
        raise ValueError(form)
    return around(points)
