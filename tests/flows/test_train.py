"""The training flow on toys: what runs, what is cached, and what a change runs again."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest
from conftest import COLOURS, copy_project, draw, enter, make_images, make_project

from sightline.errors import ConfigError, ValidationFailed
from sightline.monitor.facts import gather
from sightline.registry.opening import open_ledger
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from pathlib import Path

    from flows.summary import Summary
    from sightline.project import Paths

pytestmark = pytest.mark.usefixtures("torch_answers")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> tuple[Paths, Summary]:  # noqa: ARG001 — the flow needs it
    """A toy project with a source after its first run, to be copied, not changed; and what that run told."""
    home = tmp_path_factory.mktemp("flows")
    images = make_images(home / "target")
    source = make_images(home / "source", first=1000)
    with pytest.MonkeyPatch.context() as patch:
        paths = enter(make_project(home / "toy project", images, source), patch)
        return paths, run()


@pytest.fixture
def first(trained: tuple[Paths, Summary]) -> Summary:
    """What the first run told."""
    return trained[1]


@pytest.fixture(autouse=True)
def entered(trained: tuple[Paths, Summary], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A copy of that project for each test, entered: no test sees what another one did."""
    return copy_project(trained[0], tmp_path / "toy project", monkeypatch)


def run(overrides: dict[str, Any] | None = None) -> Summary:
    from flows.train import train

    return train(overrides)


def outcomes(summary: Summary) -> dict[str, str]:
    return {row.name: row.outcome for row in summary.rows}


def ran(summary: Summary) -> set[str]:
    always = {"register", "register-backbone", "promote"}
    return {name for name, outcome in outcomes(summary).items() if outcome == "ran"} - always


def versions(paths: Paths) -> int:
    tracker = connect(paths)
    return len(tracker.versions(tracker.classifier_model))


def test_first_run_promotes_a_champion(entered: Paths, first: Summary) -> None:
    """The first run trains every stage, registers both models and makes version 1 the champion."""
    assert set(outcomes(first).values()) == {"ran"}
    assert "find label errors" in outcomes(first)
    assert first.outcome.promoted
    assert first.outcome.champion == "1"
    tracker = connect(entered)
    champion = tracker.aliased("toy-classifier", "champion")
    assert champion is not None
    assert str(champion.version) == "1"
    assert len(tracker.versions("toy-backbone")) == 1
    assert [entry.decision for entry in open_ledger(entered).history("toy-classifier")] == ["promoted"]


@pytest.mark.usefixtures("first")
def test_a_night_without_new_data_trains_nothing(entered: Paths) -> None:
    """The policy is asked first: nothing is trained, registered or judged; its facts are those of the first run."""
    from flows.retrain import retrain

    assert retrain("nightly") is None
    assert versions(entered) == 1
    assert [entry.decision for entry in open_ledger(entered).history("toy-classifier")] == ["promoted"]
    why = gather(entered)
    assert (why.champion, why.changed, why.new_labels, why.running) == ("1", False, 0, None)
    assert why.since is not None
    assert 0 < why.spent < 1


def test_second_run_trains_nothing(entered: Paths) -> None:
    """With nothing changed every stage is up to date or cached, and there is no new version."""
    summary = run()
    assert ran(summary) == set()
    assert versions(entered) == 1
    assert summary.outcome.champion == "1"


@pytest.mark.slow
def test_changed_finetune_value_runs_finetuning_and_what_follows() -> None:
    """A value of one stage runs that stage and those behind it, no other."""
    summary = run({"finetune.recipe.learning_rate": 0.02})
    assert ran(summary) == {"finetune", "evaluate"}


@pytest.mark.slow
def test_output_that_is_gone_or_damaged_is_made_again(entered: Paths) -> None:
    """A cached result whose weights are gone or changed is not trusted; those beside and after it are."""
    shutil.rmtree(entered.runs / "pretrain")
    for weights in (entered.runs / "transfer").glob("*/weights.safetensors"):
        weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
    assert ran(run()) == {"pretrain", "transfer"}


@pytest.mark.slow
def test_added_image_gives_a_new_version_of_its_data_set(entered: Paths, first: Summary) -> None:
    """One more image in the target changes the target's version and leaves the source alone."""
    before = {row.name: row.what for row in first.rows}
    draw(77, COLOURS["red"]).save(entered.raw("target") / "red" / "new.png")
    summary = run()
    after = {row.name: row.what for row in summary.rows}
    assert after["ingest target"] != before["ingest target"]
    assert after["ingest source"] == before["ingest source"]
    assert outcomes(summary)["pretrain"] == "cached"


@pytest.mark.slow
def test_later_candidate_stays_challenger_without_evidence(entered: Paths) -> None:
    """A new version that is not shown to be better stays challenger, with the sentence why."""
    summary = run({"transfer.penalties": [100.0]})
    assert versions(entered) == 2
    assert summary.outcome.version == "2"
    assert not summary.outcome.promoted
    assert summary.outcome.champion == "1"
    assert "not shown to be better" in summary.outcome.sentence


@pytest.mark.slow
def test_time_for_one_stage_plans_that_stage() -> None:
    """Its steps follow from the seconds; the other stages keep their recipes."""
    from flows.train import train

    summary = train(None, {"scratch": 2.0})
    assert "scratch" in ran(summary)
    assert not ran(summary) & {"pretrain", "transfer", "finetune"}


def test_failed_expectation_stops_before_training(entered: Paths) -> None:
    """A class with too few images stops the flow before anything is trained, in plain words with the Data Docs."""
    (entered.raw("target") / "violet").mkdir()
    draw(5, (120, 20, 160)).save(entered.raw("target") / "violet" / "only.png")
    shutil.rmtree(entered.runs)
    with pytest.raises(ValidationFailed, match=r"violet[\s\S]*Data Docs"):
        run()
    assert not entered.runs.exists()


def test_unknown_parameter_stops_at_once() -> None:
    """A misspelt name is told with the name that was meant."""
    with pytest.raises(ConfigError, match="did you mean epochs"):
        run({"pretrain.epoch": 3})


@pytest.mark.slow
def test_data_value_is_in_params_for_the_run_alone(entered: Paths) -> None:
    """An override of a data section changes params.yaml, because DVC reads it there, and leaves it as it was."""
    before = entered.root.joinpath("params.yaml").read_bytes()
    summary = run({"preprocess.size": 18})
    assert entered.root.joinpath("params.yaml").read_bytes() == before
    assert "size: 18" in entered.root.joinpath("dvc.lock").read_text()
    assert {"preprocess source", "preprocess target", "pretrain"} <= ran(summary)
