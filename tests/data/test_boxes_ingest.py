"""Images with boxes become manifest rows and a table of boxes, whatever form they come in; both are checked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from boxed import draw, make_coco, make_yolo

from sightline import scaffold
from sightline.data import manifest, status
from sightline.data.adding import place
from sightline.data.ingest import ingest, left_aside
from sightline.data.loader import load
from sightline.data.shards import preprocess, read_index
from sightline.data.validation.expectations import validate
from sightline.errors import DataError
from sightline.heads.labels import DETECT
from sightline.heads.located import read
from sightline.heads.targets import CLASS
from sightline.project import Paths

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.data.validation.verdict import Verdict


def project(folder: Path, images: Path) -> Paths:
    """A project around images with boxes, ingested."""
    scaffold.init(folder, str(images), None, "toy", lambda _: None)
    paths = Paths(folder)
    ingest(paths, "target")
    return paths


def checked(paths: Paths, boxes: pd.DataFrame) -> Verdict:
    params = paths.params
    rows = manifest.read(paths.manifest("target"))
    docs = paths.docs("target")
    return validate(rows, params.validate, params.datasets["target"], "target", docs, None, DETECT, boxes)


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A project of sixty squares, ingested; read-only by agreement."""
    home = tmp_path_factory.mktemp("coco")
    return project(home / "p", make_coco(home / "squares", 60))


def test_labels_are_what_was_painted(coco: Paths, tmp_path: Path) -> None:
    """From COCO and from YOLO alike, to a pixel; images without a square have no box."""
    yolo = project(tmp_path / "p", make_yolo(tmp_path / "squares", 16))
    for paths, count in ((coco, 60), (yolo, 16)):
        assert paths.params.task_of("target") == DETECT
        rows = manifest.read(paths.manifest("target"))
        assert len(rows) == count
        for name, label in zip(rows["path"], rows["label"], strict=True):
            pixels, squares = draw(int(name.rpartition("/")[2].partition(".")[0]))
            width, height, boxes = read(label)
            assert (height, width) == pixels.shape[:2]
            assert sorted(box.name for box in boxes) == sorted(square.name for square in squares)
            found = np.array(sorted(box.edges for box in boxes)).reshape(-1, 4)
            np.testing.assert_allclose(found, np.array(sorted(one[1:] for one in squares)).reshape(-1, 4), atol=0.02)


def test_annotations_are_not_overlooked(coco: Paths) -> None:
    """They are read, and no `other file`; what changes in them is told before anything is ingested."""
    rows = manifest.read(coco.manifest("target"))
    assert left_aside(coco.raw("target"), rows, DETECT) == []
    assert status.look(coco, "target").changes in {0, len(rows)}
    assert place(coco, "target") == ("", "")


def test_shards_hold_boxes_of_the_square(coco: Paths) -> None:
    """As many as the fullest image needs, in squares of the wanted size."""
    preprocess(coco, "target")
    images = load(coco.shards("target"), "train")
    assert (images.task, read_index(coco.shards("target")).fit) == (DETECT, "letterbox")
    size = images.pixels.shape[2]
    there = images.labels[images.labels[..., CLASS] >= 0]
    assert images.labels.shape[1:] == (2, 6)
    assert float(there[:, :4].max()) <= size
    assert float(there[:, :4].max()) > 0.9 * size


def test_faults_are_quarantined_with_their_reasons(tmp_path: Path) -> None:
    """A box without area leaves alone; an image with an unknown class, or that is missing, leaves as a whole."""
    folder = make_coco(tmp_path / "squares", 24)
    told = json.loads((folder / "coco.json").read_text())
    told["annotations"][0]["bbox"][2] = 0
    told["annotations"][2]["category_id"] = 9
    told["images"].append({"id": 99, "file_name": "gone.png", "width": 9, "height": 9})
    (folder / "coco.json").write_text(json.dumps(told))
    paths = project(tmp_path / "p", folder)
    rows = manifest.read(paths.manifest("target")).set_index("path")
    boxes = pd.read_parquet(paths.boxes("target"))
    assert boxes["status"].tolist().count("quarantined") == 1
    assert len(read(str(rows["label"]["00001.png"]))[2]) == 1
    refused = rows[rows["status"] == manifest.QUARANTINED]["reason"]
    assert sorted(refused.index) == ["00002.png", "gone.png"]
    assert "no such image" in refused["gone.png"]


@pytest.mark.slow
def test_a_moved_edge_is_another_version(tmp_path: Path) -> None:
    """And nothing else is: the same annotations once more change no byte."""
    folder = make_coco(tmp_path / "squares", 24)
    paths = project(tmp_path / "p", folder)
    before = [one.read_bytes() for one in (paths.manifest("target"), paths.boxes("target"))]
    ingest(paths, "target")
    assert [one.read_bytes() for one in (paths.manifest("target"), paths.boxes("target"))] == before
    place = paths.raw("target") / "coco.json"
    told = json.loads(place.read_text())
    told["annotations"][0]["bbox"][2] -= 1
    place.write_text(json.dumps(told))
    ingest(paths, "target")
    assert paths.manifest("target").read_bytes() != before[0]


@pytest.mark.slow
def test_boxes_are_checked_beside_the_manifest(coco: Paths) -> None:
    """Sound ones pass; one that reaches out, is there twice or of no known class, or many in quarantine, does not."""
    boxes = pd.read_parquet(coco.boxes("target"))
    assert checked(coco, boxes).passed
    assert (coco.docs("target") / "target-boxes.html").is_file()
    outside, twice, unknown, flat = boxes.copy(), pd.concat([boxes, boxes[:1]]), boxes.copy(), boxes.copy()
    outside["x2"] = [999.0, *boxes["x2"][1:]]
    unknown["label"] = ["blue", *boxes["label"][1:]]
    flat["y2"] = [boxes["y1"][0], *boxes["y2"][1:]]
    broken = boxes.assign(status=["quarantined"] * 20 + ["ok"] * (len(boxes) - 20))
    for table, rule in (
        (outside, "box-x2-inside"),
        (twice, "box-once"),
        (unknown, "box-class-known"),
        (flat, "box-y2-beyond-y1"),
        (broken, "few-boxes-quarantined"),
    ):
        failed = {one.id for one in checked(coco, table).findings if not one.passed}
        assert failed == {rule}, rule


def test_tiny_boxes_are_told(coco: Paths) -> None:
    """A warning: what is narrower than a fiftieth of its image is hardly seen."""
    boxes = pd.read_parquet(coco.boxes("target"))
    boxes["x2"] = boxes["x1"] + 1.0
    verdict = checked(coco, boxes)
    assert verdict.passed
    assert {one.id for one in verdict.findings if not one.passed} == {"few-boxes-tiny"}


def test_a_project_of_boxes_needs_boxes(tmp_path: Path) -> None:
    """Where annotations go, the next run says what was expected."""
    paths = project(tmp_path / "p", make_coco(tmp_path / "squares", 8))
    (paths.raw("target") / "coco.json").unlink()
    with pytest.raises(DataError, match="no image there has boxes"):
        ingest(paths, "target")
