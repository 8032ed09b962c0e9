"""The whole chain where an image has several labels: from a table to a champion that answers, and its successor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pandas as pd
import pytest
from answering import follower, served
from conftest import enter, make_project
from several import make_sheets

import sightline
from flows.cli.labelling import Form, captured
from sightline.data import manifest
from sightline.data.labels import exchange
from sightline.errors import ConfigError
from sightline.heads.labels import MULTILABEL, names_of
from sightline.registry.served import answering
from sightline.registry.served import served as bundle_of
from sightline.serve.app import application
from sightline.serve.files import predict_files
from sightline.serve.images import sources
from sightline.serve.score import score

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from flows.summary import Summary
    from sightline.project import Paths

pytestmark = pytest.mark.usefixtures("torch_answers")


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
    assert any("does not watch answers with several labels yet" in one for one in second.outcome.messages)


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


def test_page_for_one_class_is_not_made(several: tuple[Paths, Summary, Summary], tmp_path: Path) -> None:
    """Whoever presses one key for an image would say that it shows nothing else."""
    assert several[0].params.task_of("target") == MULTILABEL
    with pytest.raises(ConfigError, match="several labels"):
        captured(tmp_path / "out", audit=False, queue=True, count=1, form=Form.page, suggest=False, as_json=False)
