"""The whole chain where an image has several labels: from a table to a champion that answers, and its successor."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import TYPE_CHECKING, Any

import httpx
import pandas as pd
import pytest
from answering import follower, served
from conftest import enter, make_project
from several import draw, make_sheets
from traffic import capture
from typer.testing import CliRunner

import sightline
from flows.cli.app import app
from flows.cli.labelling import Form, captured
from sightline.config import write_value
from sightline.data import manifest
from sightline.data.labels import exchange
from sightline.heads.labels import MULTILABEL, SEPARATOR, names_of
from sightline.labelling.take import take
from sightline.models.bundle import read_card
from sightline.monitor.audit import sample
from sightline.monitor.look import _present, look
from sightline.monitor.state import State
from sightline.project import Paths
from sightline.registry.served import answering
from sightline.registry.served import served as bundle_of
from sightline.report.monitor import sentences
from sightline.serve.app import application
from sightline.serve.files import predict_files
from sightline.serve.images import sources
from sightline.serve.score import score

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flows.summary import Summary

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("torch_answers")]


def run(overrides: dict[str, Any] | None = None) -> Summary:
    from flows.train import train

    return train(overrides)


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> Iterator[tuple[Paths, Summary, Summary]]:  # noqa: ARG001 — the flow needs it
    """A project of sheets, entered; what the first, short run told, and a longer one after it."""
    home = tmp_path_factory.mktemp("several")
    sheets = make_sheets(home / "sheets", 360)
    with pytest.MonkeyPatch.context() as patch:
        paths = enter(make_project(home / "toy project", sheets), patch)
        first = run({"finetune.scratch.steps": 2, "finetune.scratch.learning_rate": 0.1})
        yield paths, first, run({"finetune.scratch.steps": 30})


def test_short_run_becomes_champion(several: tuple[Paths, Summary, Summary]) -> None:
    """Every stage ran; the score is mAP, and the gate speaks of F1."""
    paths, first, _ = several
    assert paths.params.task_of("target") == MULTILABEL
    assert first.outcome.promoted, first.outcome.sentence
    assert first.scores[0].measure == "mAP"
    (overall,) = (one for one in first.outcome.blessings if one.name == "overall")
    assert "mean F1" in overall.sentence


def test_better_one_follows_it(several: tuple[Paths, Summary, Summary]) -> None:
    """By the paired comparison of the images' figures, with the slices of the labels beside it."""
    _, _, second = several
    assert second.outcome.promoted, second.outcome.sentence
    figures = {one.name: one.figures for one in second.outcome.blessings}
    assert figures["overall"]["p"] <= figures["overall"]["level"]
    assert {"label=blue", "label=green", "label=red"} <= {row["name"] for row in figures["slices"]["slices"]}
    assert second.outcome.messages == ()


def test_page_tells_of_labels_and_draws_no_confusion_matrix(several: tuple[Paths, Summary, Summary]) -> None:
    """What a person sees follows from the task."""
    text = open(several[2].report, encoding="utf-8").read()  # noqa: PTH123, SIM115
    assert "Test mAP" in text
    assert "Exact sets" in text
    assert "Confusion matrix" not in text


def test_files_rows_and_requests_get_the_same_labels(several: tuple[Paths, Summary, Summary], tmp_path: Path) -> None:
    """`predict`, `score`, `serve`, Python and MLflow: right for most images, and alike."""
    import mlflow

    paths = several[0]
    asked = sources(paths.raw("target"))[:40]
    found = bundle_of(paths)
    rows = predict_files(found.bundle, found.version, asked)
    truth = pd.read_json(paths.raw("target") / "labels.jsonl", lines=True).set_index("path")["labels"]
    right = [set(row["labels"]) == set(truth[row["path"].rpartition("/")[2]]) for row in rows]
    assert sum(right) > 30
    version = answering(paths)
    score(asked, version, tmp_path / "answers.parquet")
    table = pd.read_parquet(tmp_path / "answers.parquet")
    assert [list(one) for one in table["labels"]] == [row["labels"] for row in rows]
    assert [names_of(text) for text in table["label"]] == [sorted(row["labels"]) for row in rows]
    with served(application(follower(load=lambda: version))) as address:
        reply = httpx.post(f"{address}/predict", content=asked[0].read(), timeout=30).json()["answers"][0]
    assert (reply["labels"], reply["label"]) == (rows[0]["labels"], rows[0]["label"])
    (answer,) = sightline.champion(paths.root).predict(asked[0].file)
    assert list(answer.labels or ()) == rows[0]["labels"]
    model = mlflow.pyfunc.load_model("models:/toy-classifier@champion")
    told = model.predict(pd.DataFrame({"image": [one.read() for one in asked[:3]]}))
    assert told["labels"].tolist() == [row["labels"] for row in rows[:3]]


def test_imported_sets_are_split(several: tuple[Paths, Summary, Summary], tmp_path: Path) -> None:
    """What people fill in is one set in whatever order; only a name that no image had is a new class."""
    paths = several[0]
    rows = manifest.read(paths.manifest("target"))
    digest = rows["sha256"][0]
    (tmp_path / "todo.csv").write_text(f"sha256,label\n{digest},red; dent ;blue\n", encoding="utf-8")
    done = exchange.take(paths, "target", tmp_path / "todo.csv")
    assert (done.changed, done.new_classes) == (1, ("dent",))
    after = manifest.read(paths.manifest("target")).set_index("sha256")["label"]
    assert after[digest] == "blue;dent;red"


def traffic(paths: Paths, count: int, name: str) -> dict[str, list[str]]:
    """Record the champion's answers to sheets that nobody has seen; digest → what each shows."""
    shown = {}
    files = []
    for seed in range(70_000, 70_000 + count):
        image, names = draw(seed)
        out = io.BytesIO()
        image.save(out, "PNG")
        files.append(out.getvalue())
        shown[hashlib.sha256(out.getvalue()).hexdigest()] = names
    capture(paths, files, name)
    return shown


def test_traffic_is_watched_and_labelled(several: tuple[Paths, Summary, Summary], tmp_path: Path) -> None:
    """The monitor compares it with a reference; people choose several classes, or none, and F1 is told of the audit."""
    write_value(several[0].root, "capture.keep", "images")
    write_value(several[0].root, "monitor.audit", 0.5)
    paths = Paths(several[0].root)
    truth = traffic(paths, 40, "seen")
    outcome = look(paths)
    assert (outcome.trouble, outcome.task, outcome.seen) == ((), MULTILABEL, 40)
    with State(paths) as state:
        watched = _present(paths, state)
    # The question which classes come more often counts answers as the version gives them.
    decoding = read_card(bundle_of(paths).bundle).decoding
    assert watched is not None
    assert watched.reference.thresholds is not None
    assert decoding is not None
    assert watched.reference.thresholds.tolist() == decoding["thresholds"]
    assert outcome.estimate is not None
    words: dict[str, Any] = {"count": 50, "suggest": False, "as_json": False}
    captured(tmp_path / "audit", audit=True, queue=False, form=Form.page, **words)
    captured(tmp_path / "tasks", audit=False, queue=True, form=Form.label_studio, **words)
    page = (tmp_path / "audit" / "index.html").read_text(encoding="utf-8")
    assert '"classes": ["blue", "green", "red"]' in page
    with (tmp_path / "audit" / "labels.csv").open(newline="") as handle:
        asked = list(csv.DictReader(handle))
    # In any order, as people choose; a sheet that shows none by the semicolon alone.
    filled = [{**row, "label": "; ".join(reversed(truth[row["sha256"]])) or ";"} for row in asked]
    with (tmp_path / "answers.csv").open("w", newline="") as handle:
        table = csv.DictWriter(handle, list(filled[0]))
        table.writeheader()
        table.writerows(filled)
    assert ";" in {row["label"] for row in filled}, "the sheets were drawn otherwise: record more"
    done = take(paths, tmp_path / "answers.csv")
    assert (done.audited, done.added, done.new_classes) == (len(asked), len(asked), ())
    rows = manifest.read(paths.manifest("target")).set_index("sha256")["label"]
    assert {row["sha256"]: names_of(rows[row["sha256"]]) for row in asked} == {
        row["sha256"]: sorted(truth[row["sha256"]]) for row in asked
    }
    harm = look(paths).harm
    assert harm is not None
    right = [set(names_of(one.answer)) == set(truth[one.sha256]) for one in sample(paths) if one.label]
    assert harm.labels == len(asked)
    assert 0 <= harm.wrong <= right.count(False)
    assert any(" have a mean F1 of " in one for one in sentences(look(paths)))
    assert '<Choices name="label" toName="image" choice="multiple"' in (tmp_path / "tasks" / "config.xml").read_text()
    tasks = json.loads((tmp_path / "tasks" / "tasks.json").read_text())
    export = [
        {"id": number, "data": task["data"], "annotations": [annotation(truth[task["data"]["sha256"]])]}
        for number, task in enumerate(tasks)
    ]
    (tmp_path / "export.json").write_text(json.dumps(export))
    assert take(paths, tmp_path / "export.json").added == len(tasks)
    rows = manifest.read(paths.manifest("target")).set_index("sha256")["label"]
    assert {digest: names_of(rows[digest]) for digest in truth} == {one: sorted(shown) for one, shown in truth.items()}


def annotation(names: list[str]) -> dict[str, Any]:
    """As Label Studio exports it; without a result where nothing was chosen."""
    result = {"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": names}}
    return {"id": 7, "result": [result] if names else [], "was_cancelled": False}


def test_answers_leave_as_a_table(several: tuple[Paths, Summary, Summary], tmp_path: Path) -> None:
    """`predict --csv` has the set in one cell, and with --top-k each of the likeliest classes beside it."""
    paths = several[0]
    image = next(paths.raw("target").glob("*.png"))
    said = CliRunner().invoke(app, ["predict", str(image), "--csv", "--top-k", "2", "--draw", str(tmp_path / "drawn")])
    (row,) = csv.DictReader(said.stdout.splitlines())
    assert row["label"] == SEPARATOR or set(row["label"].split(SEPARATOR)) <= {"blue", "green", "red"}
    assert {row["label_1"], row["label_2"]} < {"blue", "green", "red"}
    assert len(list((tmp_path / "drawn").iterdir())) == 1
