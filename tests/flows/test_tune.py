"""The flow that searches for better values, on toys."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from conftest import copy_project, enter, make_images, make_project

from sightline import config
from sightline.config import write_value
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from flows.summary import Tuned
    from sightline.project import Paths


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, prefect_server: None) -> tuple[Paths, Tuned]:  # noqa: ARG001 — the flow needs it
    """A toy project with a backbone after a search of a few trials, to be copied; and what that told."""
    from flows.tune import tune

    home = tmp_path_factory.mktemp("tuning")
    images = make_images(home / "target")
    source = make_images(home / "source", per_class=20, first=1000)
    with pytest.MonkeyPatch.context() as patch:
        paths = enter(make_project(home / "toy project", images, source), patch)
        return paths, tune(trials=4)


@pytest.fixture(autouse=True)
def entered(tuned: tuple[Paths, Tuned], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    return copy_project(tuned[0], tmp_path / "toy project", monkeypatch)


def test_every_trial_is_a_child_run(entered: Paths, tuned: tuple[Paths, Tuned]) -> None:
    """MLflow holds the search, and below it a run for each trial with its values, course and objective.

    Those that are trained from a second seed have a second run; their mean is what counts.
    """
    tracker = connect(entered)
    runs = tracker.client.search_runs([tracker.experiment])
    (above,) = [one for one in runs if one.data.tags.get("prefect.flow") == "tune" and "found" in one.data.tags]
    below = [one for one in runs if one.data.tags.get("mlflow.parentRunId") == above.info.run_id]
    trials = [one for one in below if one.info.run_name.startswith("trial ")]
    losses: dict[str, list[float]] = {}
    for one in trials:
        losses.setdefault(one.info.run_name, []).extend(
            value for name, value in one.data.metrics.items() if name == "objective"
        )
    assert len(losses) == tuned[1].trials == 4
    twice = [statistics.mean(both) for both in losses.values() if len(both) > 1]
    assert {one.info.status for one in trials} == {"FINISHED"}
    assert {one.data.params["way"] for one in trials} == {"finetune", "scratch"}
    assert all("val_fitted_loss" in one.data.metrics for one in trials)
    assert min(twice) == pytest.approx(tuned[1].value)
    assert not list((entered.runs / "trial").iterdir())


def test_present_recipes_are_tried_from_the_backbone_and_from_scratch(tuned: tuple[Paths, Tuned]) -> None:
    """What was found is not worse than either, and its page says all of it."""
    done = tuned[1]
    assert done.before is not None
    assert done.value <= done.before
    html = Path(done.page).read_text(encoding="utf-8")
    assert done.sentence.split(":")[0] in html
    assert html.count("<tr") >= 5


def test_search_opens_no_image_of_the_test_release(entered: Paths) -> None:
    """Neither a release nor an evaluation is there afterwards."""
    assert not list(entered.runs.glob("evaluate*"))
    assert not list((entered.root / "data").glob("releases*"))


@pytest.mark.usefixtures("prefect_server")
def test_applied_values_stand_in_params_yaml(entered: Paths) -> None:
    """Once something better was found it is written, with what was given for the search, which `run` needs as well."""
    from flows.tune import tune

    for recipe in ("recipe", "scratch"):  # such that chance cannot leave it the best
        write_value(entered.root, f"finetune.{recipe}.learning_rate", 1e-4)
    before = config.load(entered.root)
    done = tune(trials=12, apply=True, overrides={"preprocess.size": 24})
    after = config.load(entered.root)
    assert done.applied == bool(done.values) == (after != before)
    assert done.values.get("preprocess.size") == 24
    assert "--set preprocess.size=24" in done.words
    for key, value in done.values.items():
        section, *path = key.split(".")
        found = getattr(after, section)
        for name in path:
            found = getattr(found, name)
        assert found == value
