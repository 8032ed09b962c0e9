"""CVAT's own XML for images: one file with an `image` for each, and its shapes.

Of outlines, ellipses and masks the box around each is taken. https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sightline.data.annotations.described import TURNED, Described, Shapeless, around, boxed, size_of
from sightline.data.annotations.tree import split_in
from sightline.data.sources.item import split_of
from sightline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from xml.etree.ElementTree import Element

    from sightline.data.annotations.described import Edges
    from sightline.data.annotations.tree import Tree

BEGINS = re.compile(rb"<annotations[\s>].*<(meta|version|image|track)[\s>]", re.DOTALL)
TAG = "tag"
"""Says something of the whole image."""


def files(tree: Tree) -> list[str]:
    """The files of this form, as their beginnings show."""
    return tree.texts_that(BEGINS, ".xml")


def read(tree: Tree) -> Iterator[Described]:
    """Each image of each file of this form. Raises DataError where a file is broken, or about a video."""
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, parse

    for path in files(tree):
        place = tree.folder / path
        try:
            root = parse(place).getroot()
        except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
            raise DataError(f"{place} cannot be read as XML: {str(error).partition(chr(10))[0]}") from None
        if root.find("track") is not None:
            raise DataError(
                f"{place} follows objects through a video: export the task as `CVAT for images`, or as COCO, with its "
                "images"
            )
        for number, image in enumerate(root.findall("image"), start=1):
            yield _read(tree, path, image, f"image {number} of {path}")


def _read(tree: Tree, path: str, given: Element, told: str) -> Described:
    split = split_of(given.get("subset", "")) or split_in(path)
    image, reason = tree.find(given.get("name", ""), path.rpartition("/")[0], split)
    boxes, fault = boxed((one for one in given if one.tag != TAG), _label, _edges, told)
    return Described(
        path=image,
        origin=path,
        boxes=boxes,
        size=size_of(given.get("width"), given.get("height")),
        split=split_in(image) or split,
        reason=reason or fault,
    )


def _label(shape: Element) -> str:
    return shape.get("label", "")


def _edges(shape: Element) -> Edges:
    def numbers(*names: str) -> list[float]:
        return [float(shape.get(name) or "") for name in names]

    if float(shape.get("rotation") or 0):
        raise Shapeless(TURNED)
    if shape.tag == "box":
        x1, y1, x2, y2 = numbers("xtl", "ytl", "xbr", "ybr")
        return x1, y1, x2, y2
    if shape.tag == "ellipse":
        x, y, across, down = numbers("cx", "cy", "rx", "ry")
        return x - across, y - down, x + across, y + down
    if shape.tag == "mask":
        left, top, width, height = numbers("left", "top", "width", "height")
        return left, top, left + width, top + height
    if shape.tag != "polygon":
        raise Shapeless(f"is a {shape.tag}, and has no box around it")
    return around([tuple(map(float, point.split(","))) for point in shape.get("points", "").split(";")])
