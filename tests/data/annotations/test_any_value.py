"""Any value of a file of annotations may be another than its form has there: that is told, and nothing is thrown."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from sightline.data.annotations import read
from sightline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRONG: tuple[Any, ...] = (None, 10**400, float("nan"), "", "a", [], ["a"], {"a": 1})
RECTANGLE = {"x": 10, "y": 20, "width": 30, "height": 40, "rotation": 0, "rectanglelabels": ["cat"]}
RESULT = {"type": "rectanglelabels", "original_width": 80, "original_height": 60, "value": RECTANGLE}
MIDDLE = {"label": "cat", "coordinates": {"x": 20, "y": 30, "width": 9, "height": 9}}
REGION = {
    "shape_attributes": {"name": "rect", "x": 20, "y": 20, "width": 9, "height": 9},
    "region_attributes": {"class": {"cat": True}},
}
FORMS: dict[str, Any] = {
    "coco": {
        "images": [{"id": 1, "file_name": "1.png", "width": 80, "height": 60}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "iscrowd": 0},
            {"id": 2, "image_id": 1, "category_id": 1, "segmentation": [[1, 2, 30, 4, 5, 60]]},
        ],
        "categories": [{"id": 1, "name": "cat"}],
    },
    "labelme": {
        "shapes": [{"label": "cat", "shape_type": "polygon", "points": [[1, 2], [30, 4], [5, 60]]}],
        "imagePath": "1.png",
        "imageWidth": 80,
        "imageHeight": 60,
    },
    "label studio": [
        {"id": 1, "data": {"image": "1.png"}, "annotations": [{"result": [RESULT], "was_cancelled": False}]}
    ],
    "label studio, min": [{"id": 1, "image": "1.png", "label": [RECTANGLE | {"original_width": 80}]}],
    "create ml": [
        {"image": "2.png", "annotations": [MIDDLE]},
        {"image": "1.png", "annotations": [MIDDLE]},
    ],
    "vgg": {
        "2.png99": {"filename": "2.png", "regions": [REGION]},
        "1.png99": {
            "filename": "1.png",
            "regions": [
                {
                    "shape_attributes": {"name": "polygon", "all_points_x": [1, 2, 9], "all_points_y": [1, 9, 2]},
                    "region_attributes": {"class": "cat"},
                },
                REGION,
            ],
        },
    },
}


def places(told: Any) -> Iterator[list[Any]]:
    """The keys that lead to each value inside."""
    if isinstance(told, dict | list):
        for key in told if isinstance(told, dict) else range(len(told)):
            yield [key]
            yield from ([key, *rest] for rest in places(told[key]))


def changed(told: Any, place: list[Any], value: Any) -> Any:
    told = copy.deepcopy(told)
    inner = told
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return told


@pytest.mark.parametrize("form", FORMS)
def test_any_value_may_be_wrong(tmp_path: Path, form: str) -> None:
    """What can still be used is, the rest has a reason, or the file is refused with a sentence."""
    for number in (1, 2):
        Image.new("L", (80, 60)).save(tmp_path / f"{number}.png")
    place = tmp_path / "1.json"
    place.write_text(json.dumps(FORMS[form]), encoding="utf-8")
    assert read(tmp_path).boxes["status"].eq("ok").all()
    told = 0
    for keys in places(FORMS[form]):
        for value in WRONG:
            place.write_text(json.dumps(changed(FORMS[form], keys, value)), encoding="utf-8")
            try:
                told += bool(read(tmp_path).images["reason"].notna().any())
            except DataError:
                told += 1
    assert told
