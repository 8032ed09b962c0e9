"""Boxes in tables: a row for each, under the names that people give their columns, and what a row may have wrong."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from commands import call
from PIL import Image

from sightline.data.annotations import Annotations, arriving, conversion, read, tells_boxes
from sightline.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

WIDTH, HEIGHT = 80, 60
BOXES = {
    "images/1.png": [("cat", 10.0, 20.0, 30.0, 50.0), ("dog", 40.0, 6.0, 80.0, 60.0)],
    "images/2.png": [("dog", 8.0, 6.0, 16.0, 12.0)],
}
BARE = "images/3.png"
"""Listed, with nothing on it."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four images of 80×60 pixels, the last of which no table lists."""
    place = tmp_path / "set"
    (place / "images").mkdir(parents=True)
    for number in range(1, 5):
        Image.new("L", (WIDTH, HEIGHT), number).save(place / f"images/{number}.png")
    return place


def corners(separator: str, path: str, label: str, names: str) -> str:
    """A table of edges in pixels, with the size of the image in between."""
    lines = [[path, "width", "height", label, *names.split()]]
    lines += [[image, "80", "60", name, *map(str, edges)] for image, boxes in BOXES.items() for name, *edges in boxes]
    return "\n".join(separator.join(line) for line in [*lines, [BARE, "80", "60", *[""] * 5]])


def sides() -> str:
    rows = [(image, *box) for image, boxes in BOXES.items() for box in boxes]
    lines = [f"{image},{name},{x},{y},{x2 - x:g},{y2 - y:g}" for image, name, x, y, x2, y2 in rows]
    return "\n".join(["path,label,x,y,width,height", *lines, f"{BARE},,,,,"])


def cell() -> str:
    """By name without extension, as Global Wheat has it."""
    rows = [(image[7:-4], *box) for image, boxes in BOXES.items() for box in boxes]
    lines = [f'{image},80,60,"[{x}, {y}, {x2 - x}, {y2 - y}]",{name}' for image, name, x, y, x2, y2 in rows]
    return "\n".join(["image_id,width,height,bbox,label", *lines, f"{BARE[7:-4]},80,60,,"])


def shares() -> str:
    """Edges in the order of Open Images, as shares of the sides."""
    rows = [(image[7:-4], *box) for image, boxes in BOXES.items() for box in boxes]
    lines = [f"{one},{name},{x / 80},{x2 / 80},{y / 60},{y2 / 60}" for one, name, x, y, x2, y2 in rows]
    return "\n".join(["ImageID,Label_Name,XMin,XMax,YMin,YMax", *lines, f"{BARE[7:-4]},,,,,"])


def objects() -> str:
    """A line for each image, as Hugging Face's image folders have it."""
    told: list[dict[str, Any]] = []
    for image, boxes in {**BOXES, BARE: []}.items():
        bbox = [[x, y, x2 - x, y2 - y] for _, x, y, x2, y2 in boxes]
        told.append({"file_name": image, "objects": {"bbox": bbox, "categories": [name for name, *_ in boxes]}})
    return "\n".join(map(json.dumps, told))


def lines() -> str:
    """A JSON line for each box."""
    names = ("image", "class", "xmin", "ymin", "xmax", "ymax")
    rows = [(image, *box) for image, boxes in BOXES.items() for box in boxes]
    return "\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in [*rows, (BARE, None, *[None] * 4)])


TABLES = {
    "_annotations.csv": corners(",", "filename", "class", "xmin ymin xmax ymax"),
    "boxes.tsv": corners("\t", "Image", "Category", "X1 Y1 X2 Y2"),
    "labels.csv": corners(";", "path", "label", "left top right bottom"),
    "sides.csv": sides(),
    "train.csv": cell(),
    "shares.csv": shares(),
    "metadata.jsonl": objects(),
    "lines.jsonl": lines(),
}


def boxes_of(found: Annotations) -> dict[str, list[tuple[Any, ...]]]:
    """Image → its usable boxes, edges in pixels."""
    return {
        image.path: [(box.label, *(round(edge, 6) for edge in box.edges)) for box in boxes]
        for image, boxes in found.each()
    }


@pytest.mark.parametrize("name", TABLES)
def test_tables_under_many_names(folder: Path, name: str) -> None:
    """Each tells the same; by the folder or by its name; an image that no row is about waits for a label."""
    (folder / name).write_text(TABLES[name], encoding="utf-8")
    (folder / "sample_submission.csv").write_text("image,label,x1,y1,x2,y2\nimages/1.png,dog,1,1,2,2\n")
    for given in (folder, folder / name):
        assert tells_boxes(given)
        found = read(given)
        assert boxes_of(found) == {**BOXES, BARE: []}
        waiting = found.images.set_index("path").loc["images/4.png", "reason"]
        assert waiting == "no label: no annotation is about it"


def test_classes_stay_classes(folder: Path) -> None:
    """A table of classes is none of boxes, whatever facts about the images stand beside them."""
    table = folder / "labels.csv"
    for text in ("path,label\nimages/1.png,cat\n", "path,label,x,y,year\nimages/1.png,cat,1,2,1999\n"):
        table.write_text(text)
        assert not tells_boxes(table)
        assert not tells_boxes(folder)


def test_answers_are_no_labels(folder: Path) -> None:
    """What a model answered may lie beside the images, as `predict --csv` writes it."""
    (folder / "boxes.csv").write_text(TABLES["_annotations.csv"], encoding="utf-8")
    (folder / "answers.csv").write_text("path,label,probability,x1,y1,x2,y2\nimages/4.png,cat,0.9,1,2,30,40\n")
    found = read(folder)
    assert boxes_of(found) == {**BOXES, BARE: []}
    assert not tells_boxes(folder / "answers.csv")


def test_rows_that_tell_nothing(folder: Path) -> None:
    """Their images are quarantined with the line; a box outside is by itself."""
    rows = {
        "images/1.png,,5,5,9,9": "line 2 of boxes.csv names no class",
        "images/2.png,cat,a,5,9,9": "line 3 of boxes.csv: its edges are no four numbers",
        "images/3.png,cat,,,,": "line 4 of boxes.csv names 'cat', but no edges",
        ",cat,1,2,3,4": "line 5 of boxes.csv names no image",
        "images/9.png,cat,1,2,3,4": "there is no such image",
    }
    text = "\n".join(["image,label,x1,y1,x2,y2", *rows, "images/4.png,cat,1,2,30,40", "images/4.png,cat,500,2,530,40"])
    (folder / "boxes.csv").write_text(text)
    found = read(folder)
    assert sorted(found.images["reason"].dropna()) == sorted(rows.values())
    assert boxes_of(found) == {"images/4.png": [("cat", 1, 2, 30, 40)]}
    assert found.boxes["reason"].dropna().tolist()[-1] == "outside the image of 80×60 pixels"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"bbox": [[1, 2, 3, 4]], "categories": []}, "no lists of equal length"),
        ({"bbox": [[1, 2, 3]], "categories": ["cat"]}, "one of its boxes is no four numbers"),
        ({"bbox": [[1, 2, 3, 4]], "categories": [""]}, "one of its objects has no class"),
        ([], "no lists of equal length"),
    ],
)
def test_objects_that_tell_nothing(folder: Path, told: Any, said: str) -> None:
    good = {"file_name": "images/1.png", "objects": {"bbox": [[1, 2, 3, 4]], "categories": [7]}}
    bad = {"file_name": "images/2.png", "objects": told}
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, [good, bad])))
    found = read(folder)
    assert boxes_of(found) == {"images/1.png": [("7", 1, 2, 4, 6)]}
    assert said in str(found.images.set_index("path").loc["images/2.png", "reason"])


def test_splits_of_rows(folder: Path) -> None:
    """A column tells them, else the table's name or its folder; one that is none is an error with its line."""
    (folder / "valid.csv").write_text("image,label,x1,y1,x2,y2\nimages/1.png,cat,1,2,30,40\n")
    rows = "image,label,x1,y1,x2,y2,split\nimages/2.png,cat,1,2,30,40,test\nimages/3.png,cat,1,2,30,40,test\n"
    (folder / "boxes.csv").write_text(f"{rows}images/3.png,cat,5,2,30,40,train\n")
    found = read(folder)
    assert {image.path: image.split for image, _ in found.each()} == {"images/1.png": "val", "images/2.png": "test"}
    assert "in train, one before in test" in str(found.images.set_index("path").loc["images/3.png", "reason"])
    (folder / "boxes.csv").write_text(rows.replace("test", "winter"))
    with pytest.raises(DataError, match="line 2: split 'winter' is none of train, val, test"):
        read(folder)


def test_groups_and_flags_of_rows(folder: Path) -> None:
    """What belongs together stays so, also as COCO's JSON; two groups are none; a crowd is no object."""
    rows = ["image,label,x1,y1,x2,y2,group,iscrowd,difficult", "images/1.png,cat,1,2,30,40,ann,1,0"]
    rows += ["images/1.png,cat,5,2,9,9,ann,0,1", "images/2.png,dog,1,2,3,4,ben,0,0", "images/3.png,dog,1,2,3,4,ben,0,0"]
    (folder / "boxes.csv").write_text("\n".join([*rows, "images/3.png,dog,5,5,9,9,cy,0,0"]))
    found = read(folder)
    groups = {"images/1.png": "ann", "images/2.png": "ben"}
    assert {item.path: item.group for item in arriving.items(found) if item.label} == groups
    flags = [(box.crowd, box.difficult) for _, boxes in found.each() for box in boxes]
    assert flags == [(True, False), (False, True), (False, False)]
    assert "in group 'cy', one before in 'ben'" in str(found.images.set_index("path").loc["images/3.png", "reason"])
    conversion.write(found, folder, folder.parent / "out", "coco")
    assert {image.path: image.group for image, _ in read(folder.parent / "out").each()} == groups


def test_open_images_as_they_are_published(folder: Path) -> None:
    """Their confidence is 1 in each row, and no score; who has other ones answered."""
    head = "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsGroupOf\n"
    table = folder / "train-annotations-bbox.csv"
    table.write_text(f"{head}1,xclick,/m/01g,1,0.1,0.5,0.2,0.6,0,1\n2,xclick,/m/02g,1,0.1,0.5,0.2,0.6,0,0\n")
    found = read(folder)
    assert boxes_of(found)["images/2.png"] == [("/m/02g", 8, 12, 40, 36)]
    assert [box.crowd for _, boxes in found.each() for box in boxes] == [True, False]
    table.write_text(f"{head}1,xclick,/m/01g,1,0.1,0.5,0.2,0.6,0,1\n2,xclick,/m/02g,0.9,0.1,0.5,0.2,0.6,0,0\n")
    assert not tells_boxes(table)


def test_init_with_a_table_of_boxes(folder: Path) -> None:
    """The project is one that finds boxes, from the folder or from the table."""
    (folder / "_annotations.csv").write_text(TABLES["_annotations.csv"], encoding="utf-8")
    for given in (folder, folder / "_annotations.csv"):
        said = call(folder.parent, "init", f"toy-{given.name}", "--images", str(given))
        assert "3 images with boxes around 2 classes: cat 1, dog 2" in said
        assert "task: detect" in (folder.parent / f"toy-{given.name}" / "params.yaml").read_text(encoding="utf-8")
