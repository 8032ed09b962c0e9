"""Boxes as COCO, VOC and YOLO keep them: found by content, made one table, and what cannot be used has its reason."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from boxed import make_coco
from commands import asked, call
from conftest import SHARED
from PIL import Image

from sightline.data.annotations import Annotations, coco, conversion, read, tells_boxes, voc, yolo
from sightline.data.annotations.table import BOXES, IMAGES
from sightline.data.sources import arrival, scan
from sightline.errors import DataError

WIDTH, HEIGHT = 80, 60
EXIF_TURNED = 6


def put(folder: Path, *paths: str, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Path:
    """Grey images at `paths` below `folder`."""
    for number, path in enumerate(paths):
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size, number).save(place)
    return folder


def write(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")


def in_coco(place: Path, images: dict[str, list[tuple[Any, ...]]], names: tuple[str, ...] = ("cat", "dog")) -> None:
    """A COCO file: image → (category id, left, top, width, height)."""
    rows = [
        {"id": len(images) * number + other, "image_id": number, "category_id": box[0], "bbox": box[1:]}
        for number, boxes in enumerate(images.values())
        for other, box in enumerate(boxes)
    ]
    told = {
        "images": [{"id": number, "file_name": name} for number, name in enumerate(images)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names)],
        "annotations": rows,
    }
    write(place, json.dumps(told))


def in_voc(place: Path, *boxes: tuple[Any, ...], filename: str = "", size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    """A VOC file: boxes are (name, xmin, ymin, xmax, ymax)."""
    objects = "".join(
        f"<object><name>{name}</name><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox>"
        "</object>"
        for name, x1, y1, x2, y2 in boxes
    )
    drawn = f"<size><width>{size[0]}</width><height>{size[1]}</height></size>"
    write(place, f"<annotation><filename>{filename}</filename>{drawn}{objects}</annotation>")


def boxes_of(found: Annotations) -> dict[str, list[tuple[Any, ...]]]:
    """Image → its usable boxes (label, left, top, right, bottom), rounded to hundredths of a pixel."""
    return {
        image.path: sorted((box.label, *(round(edge, 2) for edge in box.edges)) for box in boxes)
        for image, boxes in found.each()
    }


def reasons(rows: pd.DataFrame) -> list[str]:
    return [str(reason) for reason in rows.loc[rows["status"] != "ok", "reason"]]


def why(found: Annotations, path: str) -> str | None:
    """Why an image is in quarantine."""
    (reason,) = found.images.loc[found.images["path"] == path, "reason"]
    return None if pd.isna(reason) else str(reason)


def drawn(count: int, *, flags: bool) -> Annotations:
    """Random boxes on `count` images, every fourth of which has none."""
    random = np.random.default_rng(3)
    images, boxes = [], []
    for number in range(count):
        path = f"images/{('train', 'val')[number % 2]}/ü {number}.png"
        images.append((path, WIDTH, HEIGHT, ("train", "val")[number % 2], None, "ok", None))
        for _ in range(int(random.integers(1, 9)) if number % 4 else 0):
            low = random.uniform(0, (WIDTH - 12, HEIGHT - 12))
            high = low + random.uniform(1, 12, 2)
            crowd, difficult = random.random(2) < (0.3 if flags else 0)
            label = str(random.choice(["Kapsel", "rote Zelle", "Ähre"]))
            boxes.append((path, label, *low, *high, crowd, difficult, "ok", None))
    tables = pd.DataFrame(images, columns=list(IMAGES)), pd.DataFrame(boxes, columns=list(BOXES))
    return Annotations(tables[0].astype(IMAGES), tables[1].astype(BOXES))


def same(one: Annotations, other: Annotations) -> None:
    """Same images, splits, boxes and flags; edges to a millionth of a pixel."""
    mine, theirs = dict(one.each()), dict(other.each())
    assert {image: len(boxes) for image, boxes in mine.items()} == {
        image: len(boxes) for image, boxes in theirs.items()
    }
    for image, boxes in mine.items():
        for box, same_one in zip(boxes, theirs[image], strict=True):
            assert (box.label, box.crowd, box.difficult) == (same_one.label, same_one.crowd, same_one.difficult)
            assert same_one.edges == pytest.approx(box.edges, abs=1e-6)


# In and out


def test_round_trip_of_coco_and_voc(tmp_path: Path) -> None:
    """VOC → COCO → VOC keeps images, those without boxes too, splits, boxes, classes and both flags."""
    first = drawn(24, flags=True)
    for name in ("a", "b", "c"):
        put(tmp_path / name, *(image.path for image, _ in first.each()))
    voc.write(first, tmp_path / "a")
    second = read(tmp_path / "a")
    same(first, second)
    coco.write(second, tmp_path / "b/boxes.json")
    third = read(tmp_path / "b")
    same(first, third)
    voc.write(third, tmp_path / "c")
    same(first, read(tmp_path / "c"))


def test_round_trip_of_yolo(tmp_path: Path) -> None:
    """VOC → YOLO → COCO → YOLO keeps everything but the flags, which the form does not know."""
    first = drawn(24, flags=False)
    for name in ("a", "b", "c"):
        put(tmp_path / name, *(image.path for image, _ in first.each()))
    assert yolo.write(first, tmp_path / "a") == 0
    same(first, read(tmp_path / "a"))
    coco.write(read(tmp_path / "a"), tmp_path / "b/boxes.json")
    assert yolo.write(read(tmp_path / "b"), tmp_path / "c") == 0
    same(first, read(tmp_path / "c"))


def test_yolo_leaves_out_what_it_cannot_say(tmp_path: Path) -> None:
    """A crowd or a difficult object would be learned as an object: it is left out, and counted."""
    given = drawn(24, flags=True)
    put(tmp_path, *(image.path for image, _ in given.each()))
    flagged = sum(box.crowd or box.difficult for _, boxes in given.each() for box in boxes)
    assert flagged > 5
    assert yolo.write(given, tmp_path) == flagged
    kept = [box for _, boxes in read(tmp_path).each() for box in boxes]
    assert len(kept) == len(given.boxes) - flagged


def test_coco_as_it_is_published(tmp_path: Path) -> None:
    """Of COCO's files the instances are read; each finds its images in the folder of its split."""
    put(tmp_path, "train2017/1.jpg", "val2017/1.jpg", "val2017/2.jpg")
    in_coco(tmp_path / "annotations/instances_train2017.json", {"1.jpg": [(0, 1, 2, 10, 20)]})
    in_coco(tmp_path / "annotations/instances_val2017.json", {"1.jpg": [(1, 5, 5, 5, 5)], "2.jpg": []})
    in_coco(tmp_path / "annotations/person_keypoints_val2017.json", {"1.jpg": [(0, 0, 0, 50, 50)]}, ("person",))
    found = read(tmp_path)
    assert boxes_of(found) == {
        "train2017/1.jpg": [("cat", 1, 2, 11, 22)],
        "val2017/1.jpg": [("dog", 5, 5, 10, 10)],
        "val2017/2.jpg": [],
    }
    assert found.images["split"].tolist() == ["train", "val", "val"]


def test_files_beside_the_instances_of_coco(tmp_path: Path) -> None:
    """Only what COCO itself puts beside them is left out: other files tell of images of their own."""
    put(tmp_path, "train/1.jpg", "test/1.jpg", "added/2.jpg")
    in_coco(tmp_path / "annotations/instances_train.json", {"1.jpg": [(0, 1, 2, 10, 20)]})
    in_coco(tmp_path / "annotations/test.json", {"1.jpg": [(1, 1, 2, 10, 20)]})
    in_coco(tmp_path / "added/annotations.json", {"2.jpg": [(1, 5, 5, 5, 5)]})
    write(tmp_path / "annotations/captions_train.json", '{"images": [], "annotations": []}')
    assert boxes_of(read(tmp_path)) == {
        "added/2.jpg": [("dog", 5, 5, 10, 10)],
        "test/1.jpg": [("dog", 1, 2, 11, 22)],
        "train/1.jpg": [("cat", 1, 2, 11, 22)],
    }


@pytest.mark.parametrize("flag", [1, True, 1.0, "1", "true"])
def test_flags_of_coco(tmp_path: Path, flag: object) -> None:
    """Exporters write them as numbers, truths or texts."""
    put(tmp_path, "1.png")
    in_coco(tmp_path / "coco.json", {"1.png": [(0, 1, 2, 10, 20)]})
    told = json.loads((tmp_path / "coco.json").read_text())
    told["annotations"][0]["iscrowd"] = flag
    write(tmp_path / "coco.json", json.dumps(told))
    assert [box.crowd for _, boxes in read(tmp_path).each() for box in boxes] == [True]


def test_one_file_of_several(tmp_path: Path) -> None:
    """A file that is named is read alone, its images from the nearest folder that has some."""
    put(tmp_path, "images/1.jpg")
    in_coco(tmp_path / "annotations/old.json", {"1.jpg": [(0, 1, 2, 10, 20)]})
    in_coco(tmp_path / "annotations/new.json", {"1.jpg": [(1, 1, 2, 10, 20)]})
    assert boxes_of(read(tmp_path / "annotations/new.json")) == {"images/1.jpg": [("dog", 1, 2, 11, 22)]}


def test_voc_as_it_is_published(tmp_path: Path) -> None:
    """The lists of ImageSets/Main tell the split; an XML beside its image is found as well."""
    put(tmp_path, "JPEGImages/a.jpg", "JPEGImages/b.jpg", "other/c.v1.jpg")
    in_voc(tmp_path / "Annotations/a.xml", ("cat", 1, 2, 11, 22), filename="stale.jpg")
    in_voc(tmp_path / "Annotations/b.xml", filename="b.jpg")
    in_voc(tmp_path / "other/c.v1.xml", ("dog", 0, 0, WIDTH, HEIGHT))
    write(tmp_path / "ImageSets/Main/train.txt", "a\n")
    write(tmp_path / "ImageSets/Main/val.txt", "b 1\n")
    found = read(tmp_path)
    assert boxes_of(found) == {
        "JPEGImages/a.jpg": [("cat", 1, 2, 11, 22)],
        "JPEGImages/b.jpg": [],
        "other/c.v1.jpg": [("dog", 0, 0, WIDTH, HEIGHT)],
    }
    assert found.images["split"].fillna("").tolist() == ["train", "val", ""]


@pytest.mark.parametrize("names", ["[cat, dog]", "{0: cat, 1: dog}", "\n- cat\n- dog"])
def test_yolo_as_ultralytics_has_it(tmp_path: Path, names: str) -> None:
    """Labels lie in a folder beside that of the images; the box of an outline is the one around it."""
    put(tmp_path, "train/images/1.png", "valid/images/2.png", "valid/images/3.png")
    write(tmp_path / "data.yaml", f"train: ../train/images\nval: ../valid/images\nnc: 2\nnames: {names}\n")
    write(tmp_path / "train/labels/1.txt", "1 0.5 0.5 0.5 0.5\n0 0.1 0.2 0.3 0.2 0.2 0.4\n")
    write(tmp_path / "valid/labels/2.txt", "")
    found = read(tmp_path)
    assert boxes_of(found) == {
        "train/images/1.png": [("cat", 8, 12, 24, 24), ("dog", 20, 15, 60, 45)],
        "valid/images/2.png": [],
        "valid/images/3.png": [],
    }
    assert found.images["split"].tolist() == ["train", "val", "val"]


@pytest.mark.parametrize("numbers", [2, 3])
def test_yolo_with_keypoints(tmp_path: Path, numbers: int) -> None:
    """A box has its keypoints behind it, which are no outline."""
    put(tmp_path, "1.png")
    write(tmp_path / "data.yaml", f"kpt_shape: [4, {numbers}]\nnames: [cat]\n")
    write(tmp_path / "1.txt", f"0 0.5 0.5 0.5 0.5{' 0.9' * 4 * numbers}\n0 0.5 0.5 1 1\n")
    assert boxes_of(read(tmp_path)) == {"1.png": [("cat", 0, 0, WIDTH, HEIGHT), ("cat", 20, 15, 60, 45)]}


def test_yolo_with_classes_txt(tmp_path: Path) -> None:
    """Labels beside their images, classes named line by line."""
    put(tmp_path, "1.png")
    write(tmp_path / "classes.txt", "cat\ndog\n")
    write(tmp_path / "1.txt", "1 0.5 0.5 1 1\n")
    assert boxes_of(read(tmp_path)) == {"1.png": [("dog", 0, 0, WIDTH, HEIGHT)]}


def test_yolo_as_label_img_has_it(tmp_path: Path) -> None:
    """The names of the classes lie among the labels, and are of no image."""
    put(tmp_path, "images/1.png")
    write(tmp_path / "labels/classes.txt", "cat\ndog\n")
    write(tmp_path / "labels/1.txt", "1 0.5 0.5 1 1\n")
    found = read(tmp_path)
    assert boxes_of(found) == {"images/1.png": [("dog", 0, 0, WIDTH, HEIGHT)]}
    assert reasons(found.images) == []


def test_paths_of_another_machine(tmp_path: Path) -> None:
    """An image is found by the end of the path that it had where it was annotated; never outside of the folder."""
    put(tmp_path, "in/a/1.png", "in/b/1.png", "secret.png")
    images = {"C:\\work\\b\\1.png": [(0, 1, 1, 5, 5)], "/home/pi/a/1.png": [(1, 2, 2, 5, 5)], "../secret.png": []}
    in_coco(tmp_path / "in/coco.json", images)
    found = read(tmp_path / "in")
    assert boxes_of(found) == {"in/a/1.png"[3:]: [("dog", 2, 2, 7, 7)], "b/1.png": [("cat", 1, 1, 6, 6)]}
    assert why(found, "secret.png") == "there is no such image"


def test_folders_that_annotations_name(tmp_path: Path) -> None:
    """Image 1 of `day` is none of `night`; a split has many spellings, and folders around the set are no matter."""
    put(tmp_path, "night/1.png", "night/2.png", "val/3.png", "night/4.png")
    images = {"day/1.png": [(0, 1, 1, 5, 5)], "set/night/2.png": [], "val2017/3.png": [], "D:/photos/4.png": []}
    in_coco(tmp_path / "coco.json", images)
    found = read(tmp_path)
    assert set(boxes_of(found)) == {"night/2.png", "val/3.png", "night/4.png"}
    assert why(found, "day/1.png") == "there is no such image; one of that name lies in another folder"
    in_coco(tmp_path / "coco.json", {"day/1.png": [(0, 1, 1, 5, 5)]})
    with pytest.raises(DataError, match=r"first: day/1\.png: there is no such image; one of that name"):
        read(tmp_path)


# Bad input: each is told, and nothing of it is learned


def test_box_outside(tmp_path: Path) -> None:
    """A box outside the image is quarantined, one that reaches out of it is cut."""
    put(tmp_path, "1.png")
    in_coco(tmp_path / "coco.json", {"1.png": [(0, 100, 10, 5, 5), (1, -5, 50, 20, 20), (1, 3, 3, 9, 9)]})
    found = read(tmp_path)
    assert boxes_of(found) == {"1.png": [("dog", 0, 50, 15, 60), ("dog", 3, 3, 12, 12)]}
    assert found.boxes["status"].tolist() == ["quarantined", "cut", "ok"]
    assert reasons(found.boxes) == [
        "outside the image of 80×60 pixels",
        "reached out of the image of 80×60 pixels: -5 50 15 70",
    ]


@pytest.mark.parametrize("width", [0, -4])
def test_box_without_area(tmp_path: Path, width: int) -> None:
    """A box of no area, or with its edges the wrong way round, is quarantined; its image stays."""
    put(tmp_path, "1.png")
    in_coco(tmp_path / "coco.json", {"1.png": [(0, 10, 10, width, 5), (1, 3, 3, 9, 9)]})
    found = read(tmp_path)
    assert boxes_of(found) == {"1.png": [("dog", 3, 3, 12, 12)]}
    assert reasons(found.boxes) == ["no area: its right or lower edge is not beyond the opposite one"]


def test_edges_that_are_no_numbers(tmp_path: Path) -> None:
    """Infinity and NaN, which Python's JSON, float() and outlines let through, are quarantined."""
    put(tmp_path, "a/1.png", "b/1.png", "c/1.png")
    in_coco(tmp_path / "a/coco.json", {"1.png": [(0, float("nan"), 10, 5, 5), (1, 3, 3, float("inf"), 9)]})
    in_voc(tmp_path / "b/1.xml", ("cat", "nan", 1, 5, 5), ("cat", 1, 1, 5, 5))
    write(tmp_path / "c/classes.txt", "cat")
    write(tmp_path / "c/1.txt", "0 nan 0.1 0.2 0.1 0.3 0.9\n0 0.5 0.5 0.5 0.5\n")
    for name, bad in (("a", 2), ("b", 1), ("c", 1)):
        assert reasons(read(tmp_path / name).boxes) == ["an edge is no number"] * bad


def test_class_beyond_the_names(tmp_path: Path) -> None:
    """An image with an object of no known class is quarantined: learned without it, the object would be background."""
    put(tmp_path, "a/1.png", "a/2.png", "b/1.png", "b/2.png")
    in_coco(tmp_path / "a/coco.json", {"1.png": [(7, 1, 1, 5, 5)], "2.png": [(0, 1, 1, 5, 5)]})
    write(tmp_path / "b/classes.txt", "cat\ndog\n\n")
    write(tmp_path / "b/1.txt", "0 0.5 0.5 0.1 0.1\n2 0.5 0.5 0.1 0.1\n")
    write(tmp_path / "b/2.txt", "0 0.5 0.5 0.1 0.1\n")
    for name, reason in (
        ("a", "annotation 0 of coco.json: there is no category 7"),
        ("b", "1.txt, line 2: class 2, where 2 are named"),
    ):
        found = read(tmp_path / name)
        assert why(found, "1.png") == reason
        assert list(boxes_of(found)) == ["2.png"]


def test_missing_image(tmp_path: Path) -> None:
    """Annotations of an image that is not there are a row with its reason, in each form."""
    put(tmp_path, "a/1.png", "b/1.png", "c/images/1.png")
    in_coco(tmp_path / "a/coco.json", {"1.png": [(0, 1, 1, 5, 5)], "train/2.png": [(0, 1, 1, 5, 5)]})
    in_voc(tmp_path / "b/1.xml", ("cat", 1, 1, 5, 5))
    in_voc(tmp_path / "b/2.xml", ("cat", 1, 1, 5, 5), filename="2.png")
    write(tmp_path / "c/data.yaml", "names: [cat]")
    write(tmp_path / "c/labels/1.txt", "0 0.5 0.5 0.5 0.5")
    write(tmp_path / "c/labels/2.txt", "0 0.5 0.5 0.5 0.5")
    for name, missing in (("a", "train/2.png"), ("b", "2"), ("c", "images/2")):
        found = read(tmp_path / name)
        assert why(found, missing) == "there is no such image"
        assert len(boxes_of(found)) == 1


def test_two_files_that_contradict(tmp_path: Path) -> None:
    """An image that two files describe differently is quarantined, whatever their forms; where they agree it is not."""
    put(tmp_path, "images/1.png", "images/2.png", "images/3.png")
    box = ("cat", 10, 10, 30, 30)
    in_coco(tmp_path / "coco.json", {"1.png": [(0, 10, 10, 20, 20)], "2.png": [(0, 10, 10, 20, 20)], "3.png": []})
    in_voc(tmp_path / "xml/1.xml", box)
    in_voc(tmp_path / "xml/2.xml", ("dog", *box[1:]))
    write(tmp_path / "classes.txt", "cat")
    write(tmp_path / "labels/1.txt", "0 0.25 0.3333 0.25 0.3333")
    found = read(tmp_path)
    assert boxes_of(found) == {"images/1.png": [box], "images/3.png": []}
    assert why(found, "images/2.png") == "coco.json and xml/2.xml contradict one another about it"


def test_an_image_that_a_file_lists_twice(tmp_path: Path) -> None:
    """Two entries for one image, with boxes that differ, are a contradiction too."""
    put(tmp_path, "1.png", "2.png")
    in_coco(tmp_path / "coco.json", {"1.png": [(0, 1, 1, 5, 5)], "./1.png": [], "2.png": []})
    found = read(tmp_path)
    assert why(found, "1.png") == "two entries of coco.json contradict one another about it"
    assert list(boxes_of(found)) == ["2.png"]


def test_boxes_drawn_twice(tmp_path: Path) -> None:
    """Of two boxes of a class at one place the second is quarantined; of two classes both stay."""
    put(tmp_path, "1.png")
    twice = [(0, 10, 10, 30, 30), (0, 10.2, 10, 30, 30), (1, 10, 10, 30, 30), (0, 30, 10, 30, 30)]
    in_coco(tmp_path / "coco.json", {"1.png": twice})
    found = read(tmp_path)
    assert len(boxes_of(found)["1.png"]) == 3
    assert reasons(found.boxes) == ["drawn twice: another cat is at its place"]


def test_images_without_boxes_are_answers_too(tmp_path: Path) -> None:
    """An image that annotations list without a box is used; one that none is about has no label."""
    put(tmp_path, "1.png", "2.png", "3.png")
    in_coco(tmp_path / "coco.json", {"1.png": [(0, 1, 1, 5, 5)], "2.png": []})
    found = read(tmp_path)
    assert boxes_of(found) == {"1.png": [("cat", 1, 1, 6, 6)], "2.png": []}
    assert why(found, "3.png") == "no label: no annotation is about it"


def test_boxes_drawn_on_another_size(tmp_path: Path) -> None:
    """An image of another size than the one annotated, or that lay on its side there, is quarantined."""
    put(tmp_path, "1.png", "2.png")
    turned = Image.Exif()
    turned[0x0112] = EXIF_TURNED
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "3.jpg", exif=turned)
    in_voc(tmp_path / "1.xml", ("cat", 1, 1, 6, 6))
    in_voc(tmp_path / "2.xml", ("cat", 1, 1, 6, 6), size=(160, 120))
    in_voc(tmp_path / "3.xml", ("cat", 1, 1, 6, 6))
    found = read(tmp_path)
    assert list(boxes_of(found)) == ["1.png"]
    assert why(found, "2.png") == "its boxes were drawn on 160×120 pixels, the upright image has 80×60"
    assert why(found, "3.jpg") == "its boxes were drawn on 80×60 pixels, the upright image has 60×80"


BOMB = """<?xml version="1.0"?><!DOCTYPE annotation [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<annotation><object><name>&b;</name></object></annotation>"""
OUTSIDE = """<?xml version="1.0"?><!DOCTYPE annotation [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<annotation><object><name>&a;</name></object></annotation>"""


@pytest.mark.parametrize("text", [BOMB, OUTSIDE, "<annotation><object>", "<annotation>\x01</annotation>"])
def test_xml_of_strangers(tmp_path: Path, text: str) -> None:
    """Entities that multiply or read files, and broken XML, put one image in quarantine and cost nothing."""
    put(tmp_path, "1.png", "2.png")
    write(tmp_path / "1.xml", text)
    in_voc(tmp_path / "2.xml", ("cat", 1, 1, 6, 6))
    found = read(tmp_path)
    assert str(why(found, "1.png")).startswith("1.xml cannot be read as XML: ")
    assert list(boxes_of(found)) == ["2.png"]


def test_objects_without_name_or_place(tmp_path: Path) -> None:
    """An object of which half is missing puts its image in quarantine."""
    put(tmp_path, "1.png", "2.png", "3.png")
    in_voc(tmp_path / "1.xml", (" ", 1, 1, 6, 6))
    in_voc(tmp_path / "2.xml", ("cat", "", 1, 6, 6))
    in_voc(tmp_path / "3.xml", ("cat", 1, 1, 6, 6))
    found = read(tmp_path)
    assert why(found, "1.png") == "object 1 of 1.xml has no name"
    assert why(found, "2.png") == "object 1 of 2.xml: its bndbox has no four numbers"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 0.5 0.5 0.5", "4 numbers"),
        ("cat 0.5 0.5 0.5 0.5", "'cat"),
        ("0 .1 .1 .1 .1 .9", "6 numbers"),
        ("-1 0 0 1 1", "class -1"),
    ],
)
def test_lines_of_yolo_that_tell_nothing(tmp_path: Path, line: str, said: str) -> None:
    """A line that is neither a box nor an outline puts its image in quarantine, with the line."""
    put(tmp_path, "1.png", "2.png")
    write(tmp_path / "classes.txt", "cat")
    write(tmp_path / "1.txt", f"0 0.5 0.5 0.5 0.5\n{line}\n")
    write(tmp_path / "2.txt", "0 0.5 0.5 0.5 0.5\n")
    found = read(tmp_path)
    assert str(why(found, "1.png")).startswith("1.txt, line 2: ")
    assert said.removeprefix("'") in str(why(found, "1.png"))
    assert list(boxes_of(found)) == ["2.png"]


def test_damaged_images(tmp_path: Path) -> None:
    """An image that cannot be opened has its own reason."""
    put(tmp_path, "2.png")
    (tmp_path / "1.png").write_bytes(b"no image")
    in_coco(tmp_path / "coco.json", {"1.png": [(0, 1, 1, 5, 5)], "2.png": []})
    assert "not an image" in str(why(read(tmp_path), "1.png"))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("coco.json", '{"images": [', "cannot be read as JSON"),
        ("coco.json", '{"images": [], "categories": []}', "'annotations' is missing"),
        ("coco.json", '{"images": [{"id": [1]}], "categories": [], "annotations": []}', "neither number nor text"),
        ("coco.json", '{"images": [], "categories": [{"id": 1}], "annotations": []}', "category 1 has no name"),
        ("1.txt", "0 0.5 0.5 0.5 0.5", "nothing names the classes"),
        ("notes.txt", "nothing of the kind", "no image there has boxes"),
    ],
)
def test_folders_that_cannot_be_meant(tmp_path: Path, name: str, text: str, said: str) -> None:
    """What is broken as a whole is refused, with the file."""
    put(tmp_path, "1.png")
    write(tmp_path / name, text)
    with pytest.raises(DataError, match=said):
        read(tmp_path)


def test_names_that_do_not_count(tmp_path: Path) -> None:
    """data.yaml must name each class once, number them from 0, and agree with its own count."""
    put(tmp_path, "1.png")
    write(tmp_path / "1.txt", "0 0.5 0.5 0.5 0.5")
    for text, said in (
        ("names: [cat, cat]", "each once"),
        ("names: {1: cat, 2: dog}", "number them from 0"),
        ("nc: 3\nnames: [cat]", "nc = 3"),
    ):
        write(tmp_path / "data.yaml", text)
        with pytest.raises(DataError, match=said):
            read(tmp_path)


def test_blood_cells_as_they_come(tmp_path: Path) -> None:
    """The two boxes without area of the real set are found, and its lists tell the splits."""
    archive = SHARED / "detection_blood_cells/detection_blood_cells.tar"
    if not archive.is_file():
        pytest.skip(f"{archive} is not here")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    found = read(tmp_path)
    assert found.images["split"].value_counts().to_dict() == {"train": 205, "val": 87}
    assert found.classes == ("Platelets", "RBC", "WBC")
    assert sorted(found.boxes.loc[found.boxes["status"] != "ok", "path"].str[-9:-4]) == ["00338", "00343"]


# The command


def test_the_command_tells_and_converts(tmp_path: Path) -> None:
    """`sightline data boxes` counts, gives the reasons, and writes a folder that reads as the same without them."""
    put(tmp_path / "in", "images/1.png", "images/2.png", "images/3.png")
    images = {"images/1.png": [(0, 1, 2, 10, 20), (1, 5, 5, 0, 5)], "images/2.png": [], "missing.png": []}
    in_coco(tmp_path / "in/coco.json", images)
    told = asked(tmp_path, "data", "boxes", "in", "--out", "out", "--format", "yolo")
    assert (told["images"], told["without"], told["classes"]) == (2, 1, {"cat": 1})
    assert [one["path"] for one in told["faults"]["images"]] == ["images/3.png", "missing.png"]
    assert [one["reason"][:7] for one in told["faults"]["boxes"]] == ["no area"]
    assert boxes_of(read(tmp_path / "out")) == {"images/1.png": [("cat", 1, 2, 11, 22)], "images/2.png": []}
    said = call(tmp_path, "data", "boxes", "in/coco.json")
    assert "2 images, 1 of them without a box; boxes: cat 1" in said
    assert "quarantined: missing.png: there is no such image" in said


def test_boxes_as_labels(tmp_path: Path) -> None:
    """As a table of labels the boxes say which classes an image shows, none of them too."""
    put(tmp_path / "in", "train/1.png", "val/2.png")
    in_coco(tmp_path / "in/coco.json", {"train/1.png": [(1, 1, 2, 10, 20), (0, 5, 5, 5, 5)], "val/2.png": []})
    conversion.write(read(tmp_path / "in"), tmp_path / "in", tmp_path / "out", "labels")
    found = {item.path: (item.label, item.split) for item in scan(tmp_path / "out")}
    assert found == {"train/1.png": ("cat;dog", "train"), "val/2.png": (";", "val")}


def test_init_sees_boxes(tmp_path: Path) -> None:
    """A folder or a file of boxes is no folder of one class called images; class folders with XML beside them are."""
    put(tmp_path / "coco", "images/1.png")
    in_coco(tmp_path / "coco/coco.json", {"images/1.png": [(1, 1, 2, 10, 20)]})
    put(tmp_path / "voc", "JPEGImages/1.png")
    in_voc(tmp_path / "voc/Annotations/1.xml", ("cat", 1, 1, 6, 6))
    put(tmp_path / "yolo", "train/images/1.png", "valid/images/2.png")
    write(tmp_path / "yolo/train/labels/1.txt", "0 0.5 0.5 0.5 0.5\n")
    for name in ("coco", "voc", "yolo", "coco/coco.json"):
        assert tells_boxes(tmp_path / name)
    put(tmp_path / "classes", "cat/1.png", "dog/2.png")
    in_voc(tmp_path / "classes/cat/1.xml", ("cat", 1, 1, 6, 6))
    assert not tells_boxes(tmp_path / "classes")
    put(tmp_path / "one", "cat/1.png")
    assert not tells_boxes(tmp_path / "one")
    # A JSON about the set beside its class folders, with words that COCO uses too.
    write(tmp_path / "classes/info.json", '{"name": "x", "categories": ["cat", "dog"], "images": [1, 2]}')
    assert not tells_boxes(tmp_path / "classes")
    # COCO's JSON is about all images, in whatever folders they lie.
    put(tmp_path / "cameras", "east/1.png", "west/2.png")
    in_coco(tmp_path / "cameras/annotations/all.json", {"east/1.png": [(1, 1, 2, 10, 20)]})
    assert tells_boxes(tmp_path / "cameras")


def test_folders_of_annotated_images_are_no_classes(tmp_path: Path) -> None:
    """Where VOC's or YOLO's folders repeat them, or most images have annotations of their own, whatever the form."""
    put(tmp_path / "voc", "JPEGImages/a/1.png", "JPEGImages/b/1.png", "JPEGImages/b/2.png")
    in_voc(tmp_path / "voc/Annotations/a/1.xml", ("cat", 1, 1, 6, 6))
    put(tmp_path / "yolo", "images/a/1.png", "images/b/1.png", "images/b/2.png")
    write(tmp_path / "yolo/labels/a/1.txt", "0 0.5 0.5 0.5 0.5\n")
    write(tmp_path / "yolo/data.yaml", "names: [cat]\n")
    put(tmp_path / "coco", "a/1.png", "b/1.png", "c/1.png")
    for name in ("a", "b"):
        in_coco(tmp_path / "coco" / name / "_annotations.coco.json", {"1.png": [(0, 10, 10, 20, 20)]})
    put(tmp_path / "nameless", "pictures/a/1.png", "pictures/b/1.png")
    write(tmp_path / "nameless/txt/labels/a/1.txt", "0 0.5 0.5 0.5 0.5\n")
    write(tmp_path / "nameless/txt/labels/b/1.txt", "0 0.5 0.5 0.5 0.5\n")
    for name in ("voc", "yolo", "coco", "nameless"):
        assert tells_boxes(tmp_path / name), name
    assert set(boxes_of(read(tmp_path / "coco"))) == {"a/1.png", "b/1.png"}
    # A table of classes has the last word.
    write(tmp_path / "voc/labels.csv", "path,label\nJPEGImages/a/1.png,x\nJPEGImages/b/1.png,y\n")
    assert not tells_boxes(tmp_path / "voc")


def test_class_in_two_spellings_is_one(tmp_path: Path) -> None:
    """é as one sign or as two, as among class folders."""
    put(tmp_path, "1.png", "2.png")
    for name, label in (("1", "café"), ("2", "cafe\u0301")):
        in_voc(tmp_path / f"{name}.xml", (label, 1, 1, 6, 6), filename=f"{name}.png")
    assert {box[0] for boxes in boxes_of(read(tmp_path)).values() for box in boxes} == {"café"}


def test_a_folder_that_is_there_is_not_written_into(tmp_path: Path) -> None:
    """A conversion appears whole in a new folder, or not at all."""
    put(tmp_path / "in", "1.png")
    put(tmp_path / "out", "1.png")
    in_coco(tmp_path / "in/coco.json", {"1.png": [(0, 1, 2, 10, 20)]})
    found = read(tmp_path / "in")
    with pytest.raises(DataError, match="name a new folder"):
        conversion.write(found, tmp_path / "in", tmp_path / "out", "voc")
    (tmp_path / "in/1.png").unlink()
    with pytest.raises(DataError, match="cannot be copied"):
        conversion.write(found, tmp_path / "in", tmp_path / "new", "voc")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("form", ["yolo", "voc"])
def test_images_that_would_share_one_file_of_boxes(tmp_path: Path, form: str) -> None:
    """They differ in their endings alone: each would have the boxes of the other, so another form is asked for."""
    put(tmp_path / "in", "1.jpg", "1.png")
    in_coco(tmp_path / "in/coco.json", {"1.jpg": [(0, 1, 2, 10, 20)], "1.png": [(1, 5, 5, 5, 5)]})
    found = read(tmp_path / "in")
    with pytest.raises(DataError, match=rf"1\.jpg and 1\.png differ in their endings alone, and {form} has one file"):
        conversion.write(found, tmp_path / "in", tmp_path / "out", form)
    assert not (tmp_path / "out").exists()
    conversion.write(found, tmp_path / "in", tmp_path / "out", "coco")
    assert boxes_of(read(tmp_path / "out")) == boxes_of(found)


@pytest.mark.parametrize("ending", ["zip", "tar"])
@pytest.mark.parametrize("top", ["", "export"])
def test_archives_of_annotated_images_are_unpacked(tmp_path: Path, ending: str, top: str) -> None:
    """As annotation tools hand them out, with a folder around everything or without."""
    make_coco(tmp_path / "images" / top if top else tmp_path / "images", 3)
    archive = Path(shutil.make_archive(str(tmp_path / "given"), ending, tmp_path / "images"))
    arrival.bring(archive, tmp_path / "raw")
    assert tells_boxes(tmp_path / "raw")
    assert len(read(tmp_path / "raw").images) == 3
    with pytest.raises(DataError, match=f"{archive.name} is an archive: unpack it"):
        read(archive)
