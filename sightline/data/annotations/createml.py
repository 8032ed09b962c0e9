"""Create ML's JSON: a list of images, each with `annotations` of a `label` and `coordinates`.

Those are the middle and the sides in pixels: https://apple.github.io/turicreate/docs/userguide/object_detection/data-preparation.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sightline.data.annotations.described import Described, boxed
from sightline.data.annotations.tree import split_in
from sightline.data.sources.item import split_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.data.annotations.described import Edges
    from sightline.data.annotations.tree import Tree

BEGINS = re.compile(rb'^(?:\xef\xbb\xbf)?\s*\[.*"coordinates"\s*:\s*\{', re.DOTALL)
IMAGE = ("image", "imagefilename", "filename")


def files(tree: Tree) -> list[str]:
    """The files of this form, as their beginnings show."""
    return tree.texts_that(BEGINS, ".json")


def read(tree: Tree) -> Iterator[Described]:
    """Each image of each file of this form. Raises DataError where a file is broken."""
    for path in files(tree):
        place, _, file = path.rpartition("/")
        split = split_of(file.partition(".")[0]) or split_in(path)
        for number, one in enumerate(tree.whole(path, list), start=1):
            told = f"image {number} of {path}"
            given = one if isinstance(one, dict) else {}
            name = next((str(given[key]) for key in IMAGE if given.get(key)), "")
            image, missing = tree.find(name, place, split) if name else (told, f"{told} names no image")
            boxes, reason = boxed(given.get("annotations") or (), _label, _edges, told)
            yield Described(
                path=image, origin=path, boxes=boxes, split=split_in(image) or split, reason=missing or reason
            )


def _label(given: Any) -> str:
    return str(given.get("label") or "")


def _edges(given: Any) -> Edges:
    where = given["coordinates"]
    x, y, width, height = (float(where[name]) for name in ("x", "y", "width", "height"))
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2
