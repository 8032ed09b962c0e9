"""The JSON or CSV of the VGG Image Annotator (Dutta & Zisserman 2019), version 1 and 2: regions of images.

Of outlines, circles and ellipses the box around each is taken. The class is the attribute that is called so, or the
only one.
"""

from __future__ import annotations

import csv
import io
import json
import re
from typing import TYPE_CHECKING, Any

from sightline.data.annotations.described import TURNED, Described, Shapeless, around, boxed
from sightline.data.annotations.tree import split_in
from sightline.data.sources.decoding import decoded, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.data.annotations.described import Edges
    from sightline.data.annotations.tree import Tree

BEGINS = re.compile(rb'^(?:\xef\xbb\xbf)?\s*\{.*"shape_attributes"\s*:\s*\{', re.DOTALL)
HEADER = re.compile(rb"^(?:\xef\xbb\xbf)?[^\n]*\bregion_shape_attributes\b")
CSV = ".csv"
ALL = "_via_img_metadata"
"""A project holds its images under this name, what is exported is these alone."""
SHAPE, KIND = "shape_attributes", "region_attributes"
CLASS = ("class", "label", "category", "name", "type", "object")


def files(tree: Tree) -> list[str]:
    """The files of this form, as their beginnings show."""
    return [*tree.texts_that(BEGINS, ".json"), *tree.texts_that(HEADER, CSV)]


def read(tree: Tree) -> Iterator[Described]:
    """Each image of each file of this form. Raises DataError where a file is broken."""
    for path in files(tree):
        held = _of_rows(tree, path) if path.lower().endswith(CSV) else _of_object(tree, path)
        for name, regions in held:
            image, missing = tree.find(name, path.rpartition("/")[0], split_in(path))
            boxes, reason = boxed(regions, _label, _edges, f"{name} in {path}")
            split = split_in(image) or split_in(path)
            yield Described(path=image, origin=path, boxes=boxes, split=split, reason=missing or reason)


def _of_object(tree: Tree, path: str) -> Iterator[tuple[str, Any]]:
    """Name and regions of each image."""
    told = tree.whole(path, dict)
    images = told.get(ALL, told)
    for key, one in images.items() if isinstance(images, dict) else ():
        if isinstance(one, dict) and "regions" in one:
            regions = one["regions"] or []
            # Version 1 numbered them.
            yield str(one.get("filename") or key), [*regions.values()] if isinstance(regions, dict) else regions


def _of_rows(tree: Tree, path: str) -> Iterator[tuple[str, list[Any]]]:
    """Name and regions of each image; one without any has a row as well."""
    table = tree.folder / path
    found: dict[str, list[Any]] = {}
    try:
        for row in csv.DictReader(io.StringIO(decoded(table)[0], newline="")):
            name, shape = row.get("filename") or row.get("#filename") or "", row[f"region_{SHAPE}"] or "{}"
            regions = found.setdefault(name, [])
            if (where := json.loads(shape)) != {}:
                regions.append({SHAPE: where, KIND: json.loads(row.get(KIND) or "{}")})
    except (csv.Error, ValueError) as error:
        raise unreadable(table, error) from None
    yield from found.items()


def _label(region: Any) -> str:
    given = region.get(KIND) or {}
    names = [name for name in given if name.strip().lower() in CLASS] or list(given)
    if len(names) > 1:
        raise Shapeless(f"has the attributes {', '.join(names)}, and none of them is called class")
    said = given[names[0]] if names else ""
    # Of boxes to tick, those that are.
    ticked = [name for name, yes in said.items() if yes] if isinstance(said, dict) else [str(said or "")]
    if len(ticked) > 1:
        raise Shapeless(f"has {len(ticked)} classes")
    return "".join(ticked)


def _edges(region: Any) -> Edges:
    shape = region[SHAPE]

    def numbers(*names: str) -> list[float]:
        return [float(shape[name]) for name in names]

    form = shape["name"]
    if form == "rect":
        left, top, width, height = numbers("x", "y", "width", "height")
        return left, top, left + width, top + height
    if form == "circle":
        x, y, radius = numbers("cx", "cy", "r")
        return x - radius, y - radius, x + radius, y + radius
    if form == "ellipse":
        x, y, across, down = numbers("cx", "cy", "rx", "ry")
        if shape.get("theta"):
            raise Shapeless(TURNED)
        return x - across, y - down, x + across, y + down
    if form != "polygon":
        raise Shapeless(f"is a {form}, and has no box around it")
    return around(list(zip(map(float, shape["all_points_x"]), map(float, shape["all_points_y"]), strict=True)))
