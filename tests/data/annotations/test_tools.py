"""Boxes as CVAT and Labelme keep them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from sightline.data.annotations import Annotations, read, tells_boxes
from sightline.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

WIDTH, HEIGHT = 80, 60
SHAPES: dict[str, str] = {
    "box": '<box label="cat" xtl="10" ytl="20" xbr="30" ybr="50" occluded="0"/>',
    "polygon": '<polygon label="cat" points="10,30;20,20;30,50"/>',
    "ellipse": '<ellipse label="cat" cx="20" cy="35" rx="10" ry="15"/>',
    "mask": '<mask label="cat" rle="0, 600" left="10" top="20" width="20" height="30"/>',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images of 80×60 pixels."""
    for number in range(1, 4):
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.new("L", (WIDTH, HEIGHT), number).save(tmp_path / f"images/{number}.png")
    return tmp_path


def cvat(folder: Path, *images: str) -> Path:
    """The file that CVAT exports, of these elements."""
    place = folder / "annotations.xml"
    text = "\n".join(['<?xml version="1.0" encoding="utf-8"?>', "<annotations><version>1.1</version>", *images])
    place.write_text(f"{text}</annotations>", encoding="utf-8")
    return place


def labelme(folder: Path, name: str, *shapes: dict[str, Any], **more: Any) -> None:
    told = {"version": "5.4", "shapes": shapes, "imagePath": name, "imageWidth": WIDTH, "imageHeight": HEIGHT}
    place = folder / f"{name.rpartition('.')[0]}.json"
    place.write_text(json.dumps(told | more), encoding="utf-8")


def boxes_of(found: Annotations) -> dict[str, list[tuple[Any, ...]]]:
    """Image → its usable boxes."""
    return {image.path: [(box.label, *box.edges) for box in boxes] for image, boxes in found.each()}


def why(found: Annotations, path: str) -> str:
    return str(found.images.set_index("path").loc[path, "reason"])


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_of_cvat(folder: Path, shape: str) -> None:
    """The box around each; an image that is listed without one shows nothing; one that is not waits for a label."""
    given = cvat(
        folder,
        f'<image name="1.png" subset="Validation" width="80" height="60">{SHAPES[shape]}<tag label="dark"/></image>',
        '<image id="1" name="2.png" width="80" height="60"></image>',
    )
    for place in (folder, given):
        assert tells_boxes(place)
        found = read(place)
        assert boxes_of(found) == {"images/1.png": [("cat", 10, 20, 30, 50)], "images/2.png": []}
        assert why(found, "images/3.png").startswith("no label")
        assert next(found.each())[0].split == "val"


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ('<box label="cat" xtl="1" ytl="1" xbr="9" ybr="9" rotation="30"/>', "is turned, and boxes stand upright"),
        ('<box label="cat" xtl="a" ytl="1" xbr="9" ybr="9"/>', "has no box around it"),
        ('<box xtl="1" ytl="1" xbr="9" ybr="9"/>', "object 1 of image 1 of annotations.xml has no label"),
        ('<polyline label="cat" points="1,1;9,9"/>', "is a polyline, and has no box around it"),
        ('<polygon label="cat" points=""/>', "has no box around it"),
    ],
)
def test_shapes_of_cvat_that_are_no_boxes(folder: Path, shape: str, said: str) -> None:
    """Without that object the image would teach that there is none."""
    cvat(folder, f'<image name="1.png">{shape}</image>', f'<image name="2.png">{SHAPES["box"]}</image>')
    found = read(folder)
    assert list(boxes_of(found)) == ["images/2.png"]
    assert said in why(found, "images/1.png")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('<track id="0" label="cat"><box frame="0"/></track>', "export the task as `CVAT for images`"),
        ("<image", "cannot be read as XML"),
    ],
)
def test_files_of_cvat_that_are_none(folder: Path, text: str, said: str) -> None:
    cvat(folder, text)
    with pytest.raises(DataError, match=said):
        read(folder)


def test_boxes_of_labelme(folder: Path) -> None:
    """The box around rectangles from any corner, outlines and circles; without shapes nothing is on an image."""
    images = folder / "images"
    labelme(
        images,
        "1.png",
        {"label": "cat", "shape_type": "rectangle", "points": [[30, 50], [10, 20]]},
        {"label": "dog", "shape_type": "circle", "points": [[40, 30], [43, 34]]},
        {"label": "cat", "points": [[60, 10], [70, 5], [65, 20]]},
    )
    labelme(images, "2.png")
    assert tells_boxes(folder)
    found = read(folder)
    assert boxes_of(found) == {
        "images/1.png": [("cat", 10, 20, 30, 50), ("dog", 35, 25, 45, 35), ("cat", 60, 5, 70, 20)],
        "images/2.png": [],
    }
    assert why(found, "images/3.png").startswith("no label")


def test_labelme_that_tells_nothing(folder: Path) -> None:
    """Each is quarantined with its reason: a line, no label, another size, a broken file."""
    images = folder / "images"
    labelme(images, "1.png", {"label": "cat", "shape_type": "line", "points": [[1, 1], [9, 9]]})
    labelme(images, "2.png", {"label": "", "shape_type": "rectangle", "points": [[1, 1], [9, 9]]})
    labelme(images, "3.png", {"label": "cat", "shape_type": "rectangle", "points": [[1, 1], [9, 9]]}, imageWidth=90)
    for name in ("4", "5"):
        Image.new("L", (WIDTH, HEIGHT)).save(images / f"{name}.png")
    (images / "4.json").write_text('{"shapes": [')
    labelme(images, "5.png", {"label": "cat", "shape_type": "rectangle", "points": [[1, 1], [9, 9]]})
    found = read(folder)
    assert boxes_of(found) == {"images/5.png": [("cat", 1, 1, 9, 9)]}
    assert "object 1 of images/1.json is a line, and has no box around it" in why(found, "images/1.png")
    assert "object 1 of images/2.json has no label" in why(found, "images/2.png")
    assert "drawn on 90×60 pixels" in why(found, "images/3.png")
    assert "cannot be read as JSON" in why(found, "images/4.png")


def test_sidecars_of_class_folders_change_nothing(tmp_path: Path) -> None:
    """Images in class folders are classes, whatever lies beside them."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        Image.new("L", (WIDTH, HEIGHT)).save(tmp_path / name / "1.png")
        labelme(tmp_path / name, "1.png", {"label": name, "shape_type": "rectangle", "points": [[1, 1], [9, 9]]})
    assert not tells_boxes(tmp_path)
