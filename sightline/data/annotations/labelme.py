"""Labelme's JSON, a file beside each image: of rectangles, outlines, circles and masks the box around each is taken."""

from __future__ import annotations

import math
import os
import re
from typing import TYPE_CHECKING, Any

from sightline.data.annotations.described import Described, Shapeless, around, boxed, size_of
from sightline.data.annotations.tree import split_in
from sightline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sightline.data.annotations.described import Edges
    from sightline.data.annotations.tree import Tree

BEGINS = re.compile(rb'^(?:\xef\xbb\xbf)?\s*\{.*"shapes"\s*:\s*\[', re.DOTALL)
BOUNDED = ("rectangle", "polygon", "mask", "")
"""Types of shapes whose points bound them; files of old have none, and outlines alone."""
CIRCLE = "circle"


def files(tree: Tree) -> list[str]:
    """The files of this form, as their beginnings show."""
    return tree.texts_that(BEGINS, ".json")


def read(tree: Tree) -> Iterator[Described]:
    """The image of each file of this form, those too that turn out to be broken."""
    for path in files(tree):
        yield _read(tree, path)


def _read(tree: Tree, path: str) -> Described:
    """The image that bears the file's name; only where there is none, that of its `imagePath`."""
    place = path.rpartition("/")[0]
    image, reason = tree.find(path.removesuffix(".json").rpartition("/")[2], place)
    try:
        told = tree.whole(path, dict)
    except DataError as error:
        return Described(path=image, origin=path, reason=str(error).removeprefix(f"{tree.folder}{os.sep}"))
    if reason:
        other = tree.find(str(told.get("imagePath") or ""), place)
        image, reason = other if other[1] is None else (image, reason)
    boxes, fault = boxed(told["shapes"], _label, _edges, path)
    return Described(
        path=image,
        origin=path,
        boxes=boxes,
        size=size_of(told.get("imageWidth"), told.get("imageHeight")),
        split=split_in(image),
        reason=reason or fault,
    )


def _label(shape: Mapping[str, Any]) -> str:
    return str(shape.get("label") or "")


def _edges(shape: Mapping[str, Any]) -> Edges:
    form, points = str(shape.get("shape_type") or ""), [(float(x), float(y)) for x, y in shape["points"]]
    if form == CIRCLE:
        (x, y), edge = points
        radius = math.dist((x, y), edge)
        return x - radius, y - radius, x + radius, y + radius
    if form not in BOUNDED:
        raise Shapeless(f"is a {form}, and has no box around it")
    return around(points)
