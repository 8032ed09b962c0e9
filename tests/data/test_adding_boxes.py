"""More images with boxes for a data set of such, in whatever form either is kept."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from boxed import make_coco, make_yolo
from conftest import enter, make_project

from sightline.data import manifest
from sightline.data.adding import add
from sightline.data.versions import history
from sightline.errors import DataError
from sightline.heads.located import read

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


def project(home: Path, patch: pytest.MonkeyPatch, *, yolo: bool = False) -> Paths:
    """A project of 24 images, ingested and entered; a COCO JSON names them by where they were annotated."""
    squares = (make_yolo if yolo else make_coco)(home / "squares", 24)
    if not yolo:
        told = (squares / "coco.json").read_text()
        (squares / "coco.json").write_text(told.replace('"file_name": "', '"file_name": "C:/shots/'))
    paths = enter(make_project(home / "p", squares), patch)
    history.ingest(paths, "target")
    return paths


@pytest.mark.slow
@pytest.mark.parametrize("yolo", [False, True])
def test_annotated_images_become_the_next_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, yolo: bool
) -> None:
    """From the other form: names that are taken are no matter, copies are left out, and what was there stays."""
    paths = project(tmp_path, monkeypatch, yolo=yolo)
    before = manifest.read(paths.manifest("target"))
    # Of these 20 eight are in the set, and the names of all are taken.
    more = (make_coco if yolo else make_yolo)(tmp_path / "more", 20, first=16)
    for number in range(12):
        place = (more if yolo else more / "images") / f"{24 + number:05d}.png"
        taken = place.with_name(f"{number:05d}.png")
        place.rename(taken)
        if yolo:
            file = more / "coco.json"
            file.write_text(file.read_text().replace(place.name, taken.name))
        else:
            (more / "labels" / f"{place.stem}.txt").rename(more / "labels" / f"{taken.stem}.txt")
    done = add(paths, "target", more)
    assert (done.added, done.known, done.unlabelled, done.new_classes) == (12, 8, 0, ())
    rows = manifest.read(paths.manifest("target"))
    assert len(rows) == 36
    assert (rows["status"] == "ok").all()
    old = rows.set_index("path").loc[before["path"], "label"]
    assert old.tolist() == before["label"].tolist()
    assert sum(len(read(text)[2]) for text in rows["label"]) == sum(2 for seed in range(36) if seed % 8)
    last = history.read(paths, "target")[-1]
    assert (last.version, last.what[0]) == (done.version, f"12 images added from {more}")
    assert add(paths, "target", more).added == 0


@pytest.mark.slow
def test_file_of_annotations_brings_its_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A COCO JSON alone, with a class that is new, a box without area and an image that is missing: each is told."""
    paths = project(tmp_path, monkeypatch)
    more = make_coco(tmp_path / "more", 6, first=100)
    told = json.loads((more / "coco.json").read_text())
    told["categories"][0]["name"] = "gren"
    told["annotations"][0]["bbox"][2] = 0
    (more / "coco.json").write_text(json.dumps(told))
    (more / "00103.png").unlink()
    done = add(paths, "target", more / "coco.json")
    assert done.added == 5
    assert done.new_classes == ("gren",)
    assert any("no area" in one for one in done.said)
    assert any("there is no such image" in one for one in done.said)
    folder = paths.raw("target") / "added"
    assert len(list(folder.glob("*.png"))) == 5
    assert add(paths, "target", make_coco(tmp_path / "third", 2, first=200)).added == 2
    assert (paths.raw("target") / "added-2" / "annotations.json").is_file()


@pytest.mark.slow
def test_image_that_waits_is_brought_with_its_boxes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that lies in the raw folder without annotation has no label yet: then it has."""
    paths = project(tmp_path, monkeypatch)
    more = make_coco(tmp_path / "more", 2, first=100)
    shutil.copyfile(more / "00100.png", paths.raw("target") / "waits.png")
    # The other one has a name by which an annotation of before could mean it.
    (more / "00101.png").rename(more / "00001.png")
    (more / "coco.json").write_text((more / "coco.json").read_text().replace("00101.png", "00001.png"))
    history.ingest(paths, "target")
    rows = manifest.read(paths.manifest("target"))
    assert rows.loc[rows["path"] == "waits.png", "reason"].str.startswith("no label").all()
    assert add(paths, "target", more).added == 2
    rows = manifest.read(paths.manifest("target"))
    assert int((rows["status"] == "ok").sum()) == 26


@pytest.mark.slow
def test_other_boxes_of_an_image_that_the_set_holds_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They stay as they are, as labels do; what is wrong with those that came is no matter then."""
    paths = project(tmp_path, monkeypatch)
    before = manifest.read(paths.manifest("target"))
    more = make_coco(tmp_path / "more", 8)
    assert add(paths, "target", more).said == ()
    told = json.loads((more / "coco.json").read_text())
    told["annotations"][0]["bbox"][2] -= 5
    told["annotations"][1]["bbox"][2] = 0
    told["annotations"][2]["category_id"] = 3 - told["annotations"][2]["category_id"]
    (more / "coco.json").write_text(json.dumps(told))
    done = add(paths, "target", more)
    assert (done.added, done.known) == (0, 8)
    (said,) = done.said
    assert said.startswith("2 images that the set holds came with other boxes, too: 00001.png, whose boxes stay")
    assert manifest.read(paths.manifest("target"))["label"].tolist() == before["label"].tolist()


@pytest.mark.slow
def test_boxes_are_added_beside_the_instances_of_coco(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an export of CVAT's; groups of the new ones stay with them."""
    squares = make_coco(tmp_path / "squares", 24)
    (squares / "annotations").mkdir()
    (squares / "coco.json").rename(squares / "annotations" / "instances_default.json")
    paths = enter(make_project(tmp_path / "p", squares), monkeypatch)
    history.ingest(paths, "target")
    more = make_coco(tmp_path / "more", 4, first=100)
    told = json.loads((more / "coco.json").read_text())
    for image in told["images"]:
        image["group"] = "ann"
    (more / "coco.json").write_text(json.dumps(told))
    assert add(paths, "target", more).added == 4
    rows = manifest.read(paths.manifest("target"))
    assert (len(rows), int((rows["status"] == "ok").sum())) == (28, 28)
    assert (rows["group"] == "ann").sum() == 4


@pytest.mark.slow
def test_nothing_changes_where_a_version_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor where there are no boxes."""
    paths = project(tmp_path, monkeypatch)
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="no image there has boxes"):
        add(paths, "target", tmp_path / "none")

    def fail(*_: object) -> None:
        raise DataError("no room")

    monkeypatch.setattr(history, "ingest", fail)
    with pytest.raises(DataError, match="no room"):
        add(paths, "target", make_coco(tmp_path / "more", 2, first=100))
    assert not (paths.raw("target") / "added").exists()
    assert len(manifest.read(paths.manifest("target"))) == 24
