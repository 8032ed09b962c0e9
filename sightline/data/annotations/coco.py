"""COCO's JSON: images, categories and annotations with `bbox` = left, top, width, height (Lin et al. 2014)."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sightline.data.annotations.described import FAULTS, Box, Described, around, is_set, size_of
from sightline.data.annotations.tree import split_in
from sightline.data.sources.cells import text
from sightline.data.sources.item import split_of
from sightline.errors import DataError
from sightline.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from sightline.data.annotations.described import Edges
    from sightline.data.annotations.table import Annotations, Image
    from sightline.data.annotations.tree import Tree

BEGINS = re.compile(rb'^(?:\xef\xbb\xbf)?\s*\{.*"(images|annotations|categories)"\s*:\s*\[\s*([\]{]|\Z)', re.DOTALL)
BOXES, SIBLINGS = "instances", ("captions", "image_info", "panoptic", "person_keypoints", "stuff")
"""COCO itself gives each image several files; of such the first holds the boxes of all classes."""


def files(tree: Tree) -> list[str]:
    """The files of this form, as their beginnings show."""
    named = [(path, *path.rpartition("/")[::2]) for path in tree.texts_that(BEGINS, ".json")]
    told = {place for _, place, file in named if file.startswith(BOXES)}
    return [path for path, place, file in named if place not in told or not file.startswith(SIBLINGS)]


def read(tree: Tree) -> Iterator[Described]:
    """Each image of each file of this form. Raises DataError where one turns out to be none."""
    for path in files(tree):
        yield from _read(tree, path)


def _read(tree: Tree, path: str) -> Iterator[Described]:
    images, categories, annotations = _parts(tree, path)
    names = _names(categories, path)
    place, _, file = path.rpartition("/")
    split = split_of(file.removesuffix(".json")) or split_in(path)
    boxes: dict[Any, list[Box]] = {}
    reasons: dict[Any, str] = {}
    for row, one in enumerate(annotations):
        image, told = one.get("image_id"), f"annotation {one.get('id', row)} of {path}"
        if one.get("category_id") not in names:
            reasons[image] = f"{told}: there is no category {one.get('category_id')!r}"
            continue
        try:
            box = Box.at(names[one["category_id"]], _edges(one))
        except FAULTS:
            reasons[image] = f"{told}: its bbox is no four numbers"
            continue
        crowd, difficult = (is_set(one.get(flag)) for flag in ("iscrowd", "difficult"))
        boxes.setdefault(image, []).append(replace(box, crowd=crowd, difficult=difficult))
    seen: set[Any] = set()
    for one in images:
        number = one.get("id")
        image, reason = tree.find(str(one.get("file_name", "")), place, split)
        if number in seen:
            reason = f"{path} lists two images with the id {number!r}"
        seen.add(number)
        yield Described(
            path=image,
            origin=path,
            boxes=tuple(boxes.get(number, ())),
            size=size_of(one.get("width"), one.get("height")),
            split=split_in(image) or split,
            group=text(one.get("group")) or None,
            reason=reason or reasons.get(number),
        )
    for number in [one for one in {**boxes, **reasons} if one not in seen]:
        unknown = "annotated, but not listed among the images"
        yield Described(path=f"{path}: image {number!r}", origin=path, reason=unknown)


def _edges(annotation: dict[str, Any]) -> Edges:
    """Of its `bbox`; where it has none, around its outlines."""
    outlines = annotation.get("segmentation")
    if not annotation.get("bbox") and isinstance(outlines, list):
        return around([(float(x), float(y)) for one in outlines for x, y in zip(one[::2], one[1::2], strict=True)])
    left, top, width, height = map(float, annotation["bbox"])
    return left, top, left + width, top + height


def _parts(tree: Tree, path: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    told, file = tree.whole(path, dict), tree.folder / path
    parts = [told.get(name) for name in ("images", "categories", "annotations")]
    for name, part in zip(("images", "categories", "annotations"), parts, strict=True):
        if not isinstance(part, list) or not all(isinstance(one, dict) for one in part):
            raise DataError(f"{file} is no COCO file: {name!r} is missing, or no list of objects")
        hashed = [one.get(key) for one in part for key in ("id", "image_id", "category_id")]
        if any(isinstance(value, list | dict) for value in hashed):
            raise DataError(f"{file}: an id among its {name} is neither number nor text")
    return parts[0], parts[1], parts[2]  # type: ignore[return-value]


def _names(categories: list[dict[str, Any]], path: str) -> dict[Any, str]:
    names: dict[Any, str] = {}
    for one in categories:
        name = str(one.get("name") or "").strip()
        if not name or names.get(one.get("id"), name) != name:
            raise DataError(f"{path}: category {one.get('id')!r} has no name, or two; give each id one name")
        names[one.get("id")] = name
    return names


def write(found: Annotations, file: Path) -> None:
    """Write all that can be used as one file."""
    write_atomically(file, json.dumps(as_json(found.each(), found.classes), ensure_ascii=False) + "\n")


def as_json(each: Iterable[tuple[Image, Sequence[Box]]], classes: Sequence[str]) -> dict[str, Any]:
    """Images with their boxes in this form, ids from 1 on; `difficult` and `group` are keys of our own where set."""
    ids = {name: number for number, name in enumerate(classes, start=1)}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (image, boxes) in enumerate(each, start=1):
        sides = {"width": image.width, "height": image.height}
        grouped = {"group": image.group} if image.group else {}
        images.append({"id": number, "file_name": image.path, **sides, **grouped})
        for box in boxes:
            width, height = box.x2 - box.x1, box.y2 - box.y1
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": ids[box.label],
                    "bbox": [box.x1, box.y1, width, height],
                    "area": width * height,
                    "iscrowd": int(box.crowd),
                    **({"difficult": 1} if box.difficult else {}),
                }
            )
    categories = [{"id": number, "name": name} for name, number in ids.items()]
    return {"images": images, "categories": categories, "annotations": annotations}
