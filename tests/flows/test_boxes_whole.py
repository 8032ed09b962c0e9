"""The whole chain where images have boxes: from a COCO file to a champion that finds them, and its successor."""

from __future__ import annotations

import hashlib
import json
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from answering import follower, served
from boxed import draw, make_coco
from conftest import copy_project, enter, make_project
from traffic import capture

import sightline
from flows.cli import wrong_boxes
from flows.cli.labelling import Form, captured, waiting
from sightline import config
from sightline.data import manifest
from sightline.data.labels import exchange
from sightline.data.shards import preprocess
from sightline.errors import ConfigError, DataError
from sightline.heads.labels import DETECT
from sightline.heads.located import Box, read, text_of
from sightline.heads.targets import OBJECT
from sightline.images.boxes import iou
from sightline.images.reading import png
from sightline.labelling.take import take
from sightline.models.predictor import Predictor
from sightline.monitor.look import look
from sightline.project import Paths
from sightline.registry.candidate import Request
from sightline.registry.champion import rollback
from sightline.registry.ledger import WAITING
from sightline.registry.opening import open_ledger
from sightline.registry.promotion import promote
from sightline.registry.served import answering
from sightline.registry.served import served as bundle_of
from sightline.report.monitor import sentences, write_monitor_page
from sightline.serve.app import application
from sightline.serve.drawn import draw as draw_answers
from sightline.serve.files import predict_files
from sightline.serve.images import sources
from sightline.serve.score import score
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flows.summary import Summary

# Two detectors are trained.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
EDGES = ("x1", "y1", "x2", "y2")
RECIPE = {"epochs": 1, "batch_size": 8, "optimiser": "adamw", "learning_rate": 0.004, "zoom": 0.7, "crop": 0.0}


def run(overrides: dict[str, Any] | None = None) -> Summary:
    from flows.train import train

    return train(overrides)


def label_of(seed: int) -> str:
    """What the image with that seed shows, as a label."""
    pixels, squares = draw(seed)
    boxes = [Box(one.name, one[1:], OBJECT) for one in squares]
    return text_of(pixels.shape[1], pixels.shape[0], boxes)


def renamed(label: str, names: list[str]) -> str:
    """Every box of a label as the next class: no detector is right about it."""
    width, height, boxes = read(label)
    others = [box._replace(name=names[(names.index(box.name) + 1) % len(names)]) for box in boxes]
    return text_of(width, height, others)


def same(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    """The same boxes, but for what more images at a time round otherwise."""
    assert [box["label"] for box in found] == [box["label"] for box in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-4)
        assert [one[edge] for edge in EDGES] == pytest.approx([other[edge] for edge in EDGES], abs=0.05)


@pytest.fixture(scope="module")
def boxed(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> Iterator[tuple[Paths, Summary, Summary]]:  # noqa: ARG001 — the flow needs it
    """A project of squares, entered; what a run told, and a longer one after it."""
    home = tmp_path_factory.mktemp("boxed")
    squares = make_coco(home / "squares", 160)
    with pytest.MonkeyPatch.context() as patch:
        paths = enter(make_project(home / "toy project", squares / "coco.json"), patch)
        for key, value in {
            "project.preset": None,
            "preprocess.size": 64,
            "pretrain.init": None,
            "pretrain.recipe": RECIPE,
            "finetune.recipe": RECIPE,
            "finetune.scratch": {**RECIPE, "steps": 40},
            "gate.min_accuracy": 0.1,
        }.items():
            config.write_value(paths.root, key, value)
        first = run()
        yield paths, first, run({"finetune.scratch.steps": 200})


def test_run_becomes_champion(boxed: tuple[Paths, Summary, Summary]) -> None:
    """Every stage ran; the score is mAP, and the gate speaks of the boxes of an image."""
    paths, first, _ = boxed
    assert paths.params.task_of("target") == DETECT
    assert first.outcome.promoted, first.outcome.sentence
    assert first.scores[0].measure == "mAP 50"
    (overall,) = (one for one in first.outcome.blessings if one.name == "overall")
    assert "mean F1 of the boxes" in overall.sentence


def test_better_one_follows_it(boxed: tuple[Paths, Summary, Summary]) -> None:
    """By the paired comparison of the images' figures, with the slices of the classes beside it."""
    _, _, second = boxed
    assert second.outcome.promoted, second.outcome.sentence
    figures = {one.name: one.figures for one in second.outcome.blessings}
    assert figures["overall"]["p"] <= figures["overall"]["level"]
    assert {"label=green", "label=red"} <= {row["name"] for row in figures["slices"]["slices"]}
    assert second.outcome.messages == ()


def test_person_is_shown_where_detectors_differ(
    boxed: tuple[Paths, Summary, Summary], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a copy of the project: what waits for approval is told with the images on which it and the champion differ."""
    paths = copy_project(boxed[0], tmp_path / "toy project", monkeypatch)
    tracker, params = connect(paths), paths.params
    with closing(open_ledger(paths)) as ledger:
        rollback(tracker, ledger, "to look at it again")
    asked = Request(version="2", reason="test", actor="ann")
    outcome = promote(tracker, asked, replace(params.gate, approval=True), params.evaluate.release)
    assert outcome.decision == WAITING
    assert outcome.judgement is not None
    found = outcome.judgement.differences
    assert any(one.gained for one in found)
    assert all("x" not in one.label.partition(" ")[0] for one in found)


def test_traffic_is_watched_by_its_boxes(boxed: tuple[Paths, Summary, Summary]) -> None:
    """What was captured holds the boxes; images with fewer squares raise the alarm, and the page says what moved."""
    paths, calm = boxed[0], [png(draw(seed)[0]) for seed in range(1000, 1160)]
    capture(paths, calm, "calm")
    outcome = look(paths)
    assert (outcome.trouble, outcome.alarm, outcome.entered) == ((), None, 160)
    file = next((paths.root / "captured").rglob("*.parquet"))
    assert {box["label"] for some in pq.read_table(file)["boxes"].to_pylist() for box in some} <= {"green", "red"}
    # Every eighth seed has no square.
    capture(paths, [png(draw(8 * seed)[0]) for seed in range(200, 320)], "empty")
    outcome = look(paths)
    assert outcome.alarm is not None
    assert outcome.cause is not None
    assert "boxes" in {one.name for one in outcome.cause.boxes}
    text = write_monitor_page(paths, outcome).read_text(encoding="utf-8")
    assert "Boxes, means of images" in text


def test_people_draw_and_the_verdict_counts_it(
    boxed: tuple[Paths, Summary, Summary], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a copy of the project: an audit's boxes count as the figure of its images, and the queue's make a version."""
    paths = copy_project(boxed[0], tmp_path / "toy project", monkeypatch)
    config.write_value(paths.root, "capture.keep", "images")
    config.write_value(paths.root, "monitor.audit", 0.5)
    paths, pictures = Paths(paths.root), {}
    for seed in range(3000, 3040):
        data = png(draw(seed)[0])
        pictures[hashlib.sha256(data).hexdigest()[:16]] = data, label_of(seed)
    capture(paths, [data for data, _ in pictures.values()], "drawn")
    assert look(paths).harm is not None
    audited: list[tuple[bytes, str]] = []
    for name in ("audit", "queue"):
        words: dict[str, Any] = {"count": 50, "form": Form.page, "suggest": False, "as_json": False}
        captured(tmp_path / name, audit=name == "audit", queue=name == "queue", **words)
        told = json.loads((tmp_path / name / "annotations.json").read_text())
        drawn = told | {"info": {}, "annotations": []}
        for image in told["images"]:
            shown = pictures[image["file_name"].rpartition("-")[2].partition(".")[0]]
            if name == "audit" and not audited:
                shown = (shown[0], renamed(shown[1], [one["name"] for one in told["categories"]]))
            audited += [shown] * (name == "audit")
            for box in read(shown[1])[2]:
                left, top, right, bottom = box.edges
                (category,) = (one["id"] for one in told["categories"] if one["name"] == box.name)
                one = {"id": len(drawn["annotations"]), "image_id": image["id"], "category_id": category}
                drawn["annotations"].append({**one, "bbox": [left, top, right - left, bottom - top]})
        (tmp_path / f"{name}.json").write_text(json.dumps(drawn))
        done = take(paths, tmp_path / f"{name}.json")
        assert (done.added, done.audited) == (len(told["images"]), len(told["images"]) if name == "audit" else 0)
    harm = look(paths).harm
    predictor = Predictor.load(bundle_of(paths).bundle)
    probabilities = predictor.probabilities([data for data, _ in audited])
    _, truth = predictor.task.indexed(predictor.card, np.array([label for _, label in audited]))
    wrong = float((1 - predictor.task.figures(probabilities, truth, predictor.card)).sum())
    assert harm is not None
    assert harm.labels == len(audited)
    assert harm.wrong == pytest.approx(wrong, abs=1e-6)
    assert wrong >= 1, "about the image that was drawn as another class"
    assert any("labelled audit images have a mean F1 of" in one for one in sentences(look(paths)))


def test_wrong_boxes_are_told_shown_and_sent_out(
    boxed: tuple[Paths, Summary, Summary], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a copy of the project in which a person lost boxes and took classes for one another."""
    assert "find box errors" in {row.name for row in boxed[1].rows}
    paths = copy_project(boxed[0], tmp_path / "toy project", monkeypatch)
    words: dict[str, Any] = {"count": 200, "form": Form.page, "as_json": False}
    waiting(paths, tmp_path / "all", everything=True, suggest=None, **words)
    told = json.loads((tmp_path / "all" / "annotations.json").read_text())
    names = {image["id"]: image["file_name"] for image in told["images"]}
    # The first box of an image is lost, that of the next one has the other class, and so on.
    firsts = {one["image_id"]: one for one in reversed(told["annotations"])}
    lost, swapped = [*firsts.values()][0:60:6], [*firsts.values()][3:60:6]
    for one in swapped:
        one["category_id"] = 3 - one["category_id"]
    left = [one for one in told["annotations"] if one not in lost]
    changed = {names[one["image_id"]] for one in (*lost, *swapped)}
    sent = [image for image in told["images"] if image["file_name"] in changed]
    some = {image["id"] for image in sent}
    boxes = [one for one in left if one["image_id"] in some]
    (tmp_path / "answers.json").write_text(json.dumps(told | {"info": {}, "images": sent, "annotations": boxes}))
    assert take(paths, tmp_path / "answers.json").changed == len(changed)
    (found,), unasked = wrong_boxes.found(paths, "target", manifest.read(paths.manifest("target")))
    assert unasked == ""
    kinds = [one.kind for one in found.boxes]
    assert kinds.count("missing") >= len(lost) // 2
    assert kinds.count("class") >= len(swapped) // 2
    wrong_boxes.export(paths, tmp_path / "todo", suggest=True, **words)
    asked = json.loads((tmp_path / "todo" / "annotations.json").read_text())
    shown = {image["file_name"].rpartition("-")[2] for image in asked["images"]}
    assert len(shown) == found.cases
    known = {name.rpartition("-")[2] for name in changed}
    assert len(shown & known) > 0.6 * len(shown)
    assert (tmp_path / "todo" / "index.html").is_file()


def test_table_of_boxes_lies_beside_the_manifest(boxed: tuple[Paths, Summary, Summary]) -> None:
    """Both say the same, in the same version of the data."""
    paths = boxed[0]
    rows, boxes = manifest.read(paths.manifest("target")), pd.read_parquet(paths.boxes("target"))
    assert len(boxes) == sum(len(read(text)[2]) for text in rows["label"])
    assert paths.boxes("target").parent == paths.manifest("target").parent


def test_page_shows_boxes(boxed: tuple[Paths, Summary, Summary]) -> None:
    """Average precision in place of a confusion matrix, and a curve for each class."""
    text = open(boxed[2].report, encoding="utf-8").read()  # noqa: PTH123, SIM115
    assert "Test mAP 50" in text
    assert "Precision and recall" in text
    assert "Confusion matrix" not in text


def test_files_rows_and_requests_get_the_same_boxes(boxed: tuple[Paths, Summary, Summary], tmp_path: Path) -> None:
    """`predict`, `score`, `serve`, Python and MLflow: where the squares are, in pixels of the image, and alike."""
    import mlflow

    paths = boxed[0]
    asked = [one for one in sources(paths.raw("target")) if one.name.endswith(".png")][:40]
    found = bundle_of(paths)
    rows = predict_files(found.bundle, found.version, asked)
    hits = total = 0
    for row in rows:
        _, squares = draw(int(row["path"].rpartition("/")[2].partition(".")[0]))
        total += len(squares)
        for square in squares:
            mine = [[box[key] for key in EDGES] for box in row["boxes"] if box["label"] == square.name]
            overlap = iou(np.array(mine).reshape(-1, 4), np.array([square[1:]], dtype=float))
            hits += bool(overlap.max(initial=0.0) > 0.5)
    assert hits > 0.6 * total
    version = answering(paths)
    score(asked, version, tmp_path / "answers.parquet")
    table = pd.read_parquet(tmp_path / "answers.parquet")
    for one, row in zip(table["boxes"], rows, strict=True):
        same(list(one), row["boxes"])
    shown = next(place for place, row in enumerate(rows) if row["boxes"])
    with served(application(follower(load=lambda: version))) as address:
        reply = httpx.post(f"{address}/predict", content=asked[shown].read(), timeout=30).json()["answers"][0]
    assert reply["label"] == rows[shown]["label"]
    same(reply["boxes"], rows[shown]["boxes"])
    (answer,) = sightline.champion(paths.root).predict(asked[shown].file)
    same([box._asdict() for box in answer.boxes or ()], rows[shown]["boxes"])
    model = mlflow.pyfunc.load_model("models:/toy-classifier@champion")
    told = model.predict(pd.DataFrame({"image": [asked[shown].read()]}))
    same(told["boxes"][0], rows[shown]["boxes"])
    (picture, *_) = draw_answers(asked[shown : shown + 1], rows[shown : shown + 1], tmp_path / "drawn")
    assert picture.stat().st_size > 0


def test_gate_kept_the_graph_that_answers(boxed: tuple[Paths, Summary, Summary]) -> None:
    """ONNX Runtime answers as torch does, so that the version is served by it."""
    (form,) = (one for one in boxed[2].outcome.blessings if one.name == "serving form")
    assert form.figures["runtime"] == "ONNX Runtime", form.sentence
    assert bundle_of(boxed[0]).graph is not None


def test_what_is_not_there_says_so(boxed: tuple[Paths, Summary, Summary], tmp_path: Path) -> None:
    """Boxes filled into a table and squeezed images are refused with one sentence."""
    paths = boxed[0]
    found = bundle_of(paths)
    rows = manifest.read(paths.manifest("target"))
    (tmp_path / "todo.csv").write_text(f"sha256,label\n{rows['sha256'][0]},red\n", encoding="utf-8")
    with pytest.raises(DataError, match="a page to draw them on"):
        exchange.take(paths, "target", tmp_path / "todo.csv")
    config.write_value(paths.root, "preprocess.fit", "squeeze")
    with pytest.raises(ConfigError, match="boxes would lie elsewhere"):
        preprocess(Paths(paths.root), "target")
    config.write_value(paths.root, "preprocess.fit", "auto")
    assert Predictor.load(found.bundle).card.fit == "letterbox"
