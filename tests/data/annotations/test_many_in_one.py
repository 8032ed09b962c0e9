"""Files that tell the boxes of many images: Label Studio's, Create ML's, VGG's annotator's, and COCO's outlines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from sightline.data.annotations import Annotations, read, tells_boxes
from sightline.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Writer = Callable[[Path, "dict[str, list[Any]]"], Path]

WIDTH, HEIGHT = 80, 60
EDGES = (10, 20, 30, 50)
OUTLINE = [[10, 30], [20, 20], [30, 50]]
PERCENT = [[100 * x / WIDTH, 100 * y / HEIGHT] for x, y in OUTLINE]
RECTANGLE = {"x": 12.5, "y": 100 / 3, "width": 25, "height": 50, "rotation": 0}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images of 80×60 pixels."""
    for number in range(1, 4):
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.new("L", (WIDTH, HEIGHT), number).save(tmp_path / f"images/{number}.png")
    return tmp_path


def written(place: Path, told: Any) -> Path:
    place.write_text(json.dumps(told), encoding="utf-8")
    return place


def shape(kind: str, value: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A result of Label Studio."""
    sides = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    return {"type": kind, "from_name": "label", "to_name": "image", **sides, "value": {**value, kind: ["cat"]}, **more}


def studio(folder: Path, images: dict[str, list[Any]]) -> Path:
    tasks = [
        {"id": number, "data": {"about": "yard", "image": f"/data/upload/7/0a1b2c3d-{name}"}, "annotations": given}
        for number, (name, given) in enumerate(images.items(), start=1)
    ]
    return written(folder / "project-7.json", tasks)


def answer(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": 1, "result": list(results), **more}


def createml(folder: Path, images: dict[str, list[Any]]) -> Path:
    told = [{"image": name, "annotations": given} for name, given in images.items()]
    return written(folder / "_annotations.createml.json", told)


def middle(label: str = "cat", **more: Any) -> dict[str, Any]:
    return {"label": label, "coordinates": {"x": 20, "y": 35, "width": 20, "height": 30} | more}


def vgg(folder: Path, images: dict[str, list[Any]]) -> Path:
    told = {f"{name}99": {"filename": name, "size": 99, "regions": given} for name, given in images.items()}
    return written(folder / "via_region_data.json", told)


def vgg_project(folder: Path, images: dict[str, list[Any]]) -> Path:
    """Regions as version 1 had them, inside of a project."""
    told = {name: {"filename": name, "regions": dict(enumerate(given))} for name, given in images.items()}
    return written(folder / "via_project.json", {"_via_settings": {}, "_via_img_metadata": told})


def vgg_rows(folder: Path, images: dict[str, list[Any]]) -> Path:
    lines = ["filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"]
    for name, given in images.items():
        for one in given or [{"shape_attributes": {}, "region_attributes": {}}]:
            cells = [json.dumps(one[key]).replace('"', '""') for key in ("shape_attributes", "region_attributes")]
            lines.append(f'{name},99,"{{}}",{len(given)},0,"{cells[0]}","{cells[1]}"')
    place = folder / "via_export.csv"
    place.write_text("\n".join(lines), encoding="utf-8")
    return place


def region(name: str, attributes: Any = None, **numbers: Any) -> dict[str, Any]:
    given = {"class": "cat"} if attributes is None else attributes
    return {"shape_attributes": {"name": name, **numbers}, "region_attributes": given}


RECT = region("rect", x=10, y=20, width=20, height=30)
REGIONS = {
    "rectangle": RECT,
    "outline": region("polygon", all_points_x=[10, 20, 30], all_points_y=[30, 20, 50]),
    "circle": region("ellipse", cx=20, cy=35, rx=10, ry=15),
    "the only attribute": region("rect", {"animal": "cat"}, x=10, y=20, width=20, height=30),
    "boxes to tick": region("rect", {"type": {"cat": True}}, x=10, y=20, width=20, height=30),
    "several attributes": region("rect", {"Class": "cat", "age": "3"}, x=10, y=20, width=20, height=30),
}
FILES: dict[str, tuple[Writer, list[Any], list[Any]]] = {
    "Label Studio, a rectangle": (studio, [answer(shape("rectanglelabels", RECTANGLE))], [answer()]),
    "Label Studio, an outline": (studio, [answer(shape("polygonlabels", {"points": PERCENT}))], [answer()]),
    "Label Studio, an ellipse": (
        studio,
        [answer(shape("ellipselabels", {"x": 25, "y": 175 / 3, "radiusX": 12.5, "radiusY": 25, "rotation": 0}))],
        [answer({"type": "choices", "value": {"choices": ["dark"]}})],
    ),
    "Label Studio, two people": (
        studio,
        [
            answer(shape("rectanglelabels", RECTANGLE)),
            answer(shape("rectanglelabels", RECTANGLE)),
            answer(was_cancelled=True),
        ],
        [answer()],
    ),
    "Create ML": (createml, [middle()], []),
    **{f"VGG, {name}": (vgg, [one], []) for name, one in REGIONS.items()},
    "VGG's project": (vgg_project, [RECT], []),
    "VGG's table": (vgg_rows, [RECT], []),
}


def boxes_of(found: Annotations) -> dict[str, list[tuple[Any, ...]]]:
    """Image → its usable boxes."""
    return {image.path: [(box.label, *map(round, box.edges)) for box in boxes] for image, boxes in found.each()}


def why(found: Annotations, path: str) -> str:
    return str(found.images.set_index("path").loc[path, "reason"])


@pytest.mark.parametrize("name", FILES)
def test_boxes_of_many_images(folder: Path, name: str) -> None:
    """By the folder or the file; an image that is listed without one shows nothing; one that is not waits."""
    write, one, none = FILES[name]
    given = write(folder, {"1.png": one, "2.png": none})
    for place in (folder, given):
        assert tells_boxes(place)
        found = read(place)
        assert boxes_of(found) == {"images/1.png": [("cat", *EDGES)], "images/2.png": []}
        assert why(found, "images/3.png").startswith("no label")


TOLD: dict[str, tuple[Writer, list[Any], list[Any], str]] = {
    "turned": (
        studio,
        [answer(shape("rectanglelabels", RECTANGLE | {"rotation": 9}))],
        [answer(shape("rectanglelabels", RECTANGLE))],
        "object 1 of task 1 of project-7.json is turned",
    ),
    "a brush": (
        studio,
        [answer(shape("brushlabels", {"format": "rle", "rle": [1]}))],
        [answer(shape("rectanglelabels", RECTANGLE))],
        "is a brush, and has no box around it",
    ),
    "two people who disagree": (
        studio,
        [answer(shape("rectanglelabels", RECTANGLE)), answer()],
        [answer(shape("rectanglelabels", RECTANGLE))],
        "contradict one another",
    ),
    "no class": (createml, [middle("")], [middle()], "object 1 of image 1 of _annotations.createml.json has no label"),
    "no number": (createml, [middle(x="left")], [middle()], "has no box around it"),
    "a line": (vgg, [region("polyline", all_points_x=[1, 2], all_points_y=[1, 2])], [RECT], "is a polyline"),
    "two classes": (vgg, [region("rect", {"a": {"x": 1, "y": 1}})], [RECT], "has 2 classes"),
    "attributes": (vgg, [region("rect", {"age": "3", "sex": "f"})], [RECT], "none of them is called class"),
    "no attribute": (vgg, [region("rect", {}, x=1, y=1, width=9, height=9)], [RECT], "has no label"),
}


@pytest.mark.parametrize("name", TOLD)
def test_objects_that_are_no_boxes(folder: Path, name: str) -> None:
    """Without that object the image would teach that there is none."""
    write, one, other, said = TOLD[name]
    write(folder, {"1.png": one, "2.png": other})
    found = read(folder)
    assert boxes_of(found) == {"images/2.png": [("cat", *EDGES)]}
    assert said in why(found, "images/1.png")


def test_tasks_that_wait(folder: Path) -> None:
    """Nobody answered the first, and the second was skipped; the third names no image that is there."""
    fine = answer(shape("rectanglelabels", RECTANGLE))
    studio(folder, {"1.png": [], "2.png": [answer(was_cancelled=True)], "9.png": [fine], "3.png": [fine]})
    found = read(folder)
    assert boxes_of(found) == {"images/3.png": [("cat", *EDGES)]}
    assert why(found, "images/1.png").startswith("no label")
    assert why(found, "images/2.png").startswith("no label")
    assert "there is no such image" in why(found, "task 3 of project-7.json")


@pytest.mark.parametrize("given", [{"id": 1}, {"id": 1, "result": [{"value": RECTANGLE}]}])
def test_answers_without_their_shapes(folder: Path, given: dict[str, Any]) -> None:
    """They do not say that nothing is on the image: it waits for a label."""
    studio(folder, {"2.png": [answer(shape("rectanglelabels", RECTANGLE))], "1.png": [given]})
    found = read(folder)
    assert boxes_of(found) == {"images/2.png": [("cat", *EDGES)]}
    assert "is no task as Label Studio exports them" in why(found, "task 2 of project-7.json")


def test_a_shape_of_the_short_form_that_nobody_named(folder: Path) -> None:
    """Without it the image would teach that nothing is there."""
    drawn = [{**RECTANGLE, "rectanglelabels": ["cat"]}, RECTANGLE]
    written(folder / "min.json", [{"image": f"{n}.png", "label": [one]} for n, one in enumerate(drawn, start=1)])
    found = read(folder)
    assert boxes_of(found) == {"images/1.png": [("cat", *EDGES)]}
    assert "has no label" in why(found, "images/2.png")


def test_the_short_form_of_label_studio(folder: Path) -> None:
    """Shapes lie beside the image; one on this machine is named behind `?d=`."""
    drawn = {**RECTANGLE, "rectanglelabels": ["cat"], "original_width": WIDTH, "original_height": HEIGHT}
    (folder / "images/1.png").rename(folder / "images/1 b.png")
    image = "/data/local-files/?d=yard%20one/images/1%20b.png"
    written(folder / "min.json", [{"image": image, "id": 4, "label": [drawn]}, {"image": "2.png", "id": 5}])
    assert boxes_of(read(folder)) == {"images/1 b.png": [("cat", *EDGES)], "images/2.png": []}


def test_splits_of_folders(tmp_path: Path) -> None:
    """As Roboflow exports them: a file in the folder of each split."""
    for split in ("train", "valid", "test"):
        (tmp_path / split).mkdir()
        Image.new("L", (WIDTH, HEIGHT)).save(tmp_path / split / f"{split}.png")
        createml(tmp_path / split, {f"{split}.png": [middle()]})
    assert tells_boxes(tmp_path)
    assert {image.split for image, _ in read(tmp_path).each()} == {"train", "val", "test"}


@pytest.mark.parametrize("name", ["Label Studio, a rectangle", "Create ML", "VGG, rectangle", "VGG's table"])
def test_broken_files(folder: Path, name: str) -> None:
    """One that ends early tells nothing of images that come later: it is named."""
    write, whole, _ = FILES[name]
    place = write(folder, {"1.png": whole, "2.png": whole})
    place.write_bytes(place.read_bytes()[:-40])
    with pytest.raises(DataError, match=f"{place.name} cannot be read"):
        read(folder)


def test_outlines_of_coco(folder: Path) -> None:
    """Where an annotation has no bbox, the box is the one around its outlines; of a mask in runs there is none."""
    images = [{"id": number, "file_name": f"{number}.png", "width": WIDTH, "height": HEIGHT} for number in (1, 2)]
    outlines = {1: [[10, 30, 20, 20, 15, 40], [20, 40, 30, 50, 25, 45]], 2: {"counts": [1], "size": [HEIGHT, WIDTH]}}
    told = [{"id": one, "image_id": one, "category_id": 1, "segmentation": outlines[one]} for one in outlines]
    written(folder / "a.json", {"images": images, "annotations": told, "categories": [{"id": 1, "name": "cat"}]})
    found = read(folder)
    assert boxes_of(found) == {"images/1.png": [("cat", *EDGES)]}
    assert "annotation 2 of a.json" in why(found, "images/2.png")
