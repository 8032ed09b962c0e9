"""A budget of a detector becomes steps, by the speed of its own step; its pixels stay."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from boxed import make_coco
from conftest import enter, make_project, on_the_cpu

from flows.budget import Clock
from sightline import config
from sightline.budget import overhead, plan
from sightline.budget.overhead import Answers, Overhead
from sightline.errors import ConfigError
from sightline.heads.labels import CLASSIFY, DETECT
from sightline.recipe import Recipe
from sightline.train import chain
from sightline.train.speeds import remembered

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.project import Paths

BESIDE, ANSWERS = Overhead(head=5.0, tail=8.0, shown=True), Answers(plain=1000.0, corrupted=500.0)
COUNTS = {"target": {"train": 108, "val": 18, "calib": 18, "test": 36}}
RECIPE = {"epochs": 1, "batch_size": 4, "optimiser": "adamw", "learning_rate": 0.004}


@pytest.fixture
def boxed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paths]:
    """A project of squares, entered, on the CPU."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    paths = enter(make_project(tmp_path / "toy", make_coco(tmp_path / "squares", 24)), monkeypatch)
    for key, value in {
        "project.preset": None,
        "preprocess.size": 64,
        "pretrain.init": None,
        "pretrain.recipe": RECIPE,
        "finetune.recipe": RECIPE,
        "finetune.scratch": RECIPE,
    }.items():
        config.write_value(paths.root, key, value)
    with on_the_cpu():
        yield paths


def test_step_of_a_detector_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By itself: what a classifier of the same images was measured to need is another note; and a note is kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    recipe = Recipe(epochs=1, batch_size=4)
    with on_the_cpu():
        first, _, again = (
            remembered(tmp_path, "cnn", 64, recipe, 1, 0.2, task).rate for task in (DETECT, CLASSIFY, DETECT)
        )
    assert first == again > 0
    assert len(list((tmp_path / "cache" / "sightline" / "speeds").iterdir())) == 2


def test_answers_of_a_detector_are_measured(tmp_path: Path) -> None:
    """Beside those of a classifier, which are others."""
    with on_the_cpu():
        boxes, classes = (overhead.answers(tmp_path, "cnn", 64, task) for task in (DETECT, CLASSIFY))
        assert overhead.answers(tmp_path, "cnn", 64, DETECT) == boxes
    assert min(boxes.plain, boxes.corrupted) > 0
    assert boxes != classes


def test_steps_follow_from_the_time(boxed: Paths) -> None:
    """Network and pixels are those of params.yaml, and no larger network is promised."""
    found = plan.resolve(boxed.runs, 120.0, lambda: 120.0, boxed.params, COUNTS, BESIDE, ANSWERS)
    assert list(found.steps) == [chain.SCRATCH]
    assert found.steps[chain.SCRATCH] == pytest.approx((120 * 0.96 - 8.2) * found.rates[chain.SCRATCH] / 4, rel=0.25)
    assert found.said.startswith("2 min: cnn at 64 px")
    assert "Twice the time" in found.said
    longer = plan.resolve(boxed.runs, 240.0, lambda: 240.0, boxed.params, COUNTS, BESIDE, ANSWERS)
    assert longer.steps[chain.SCRATCH] > 2 * found.steps[chain.SCRATCH]
    hours = plan.resolve(boxed.runs, 36_000.0, lambda: 36_000.0, boxed.params, COUNTS, BESIDE, ANSWERS)
    assert "Twice the time" in hours.said


@pytest.mark.usefixtures("boxed")
def test_a_run_with_a_budget_keeps_its_pixels() -> None:
    """A budget that holds the chain changes no value but the steps; one that does not is refused with the least."""
    assert Clock(600.0, time.time()).sized({"finetune.scratch.zoom": 0.2}) == {"finetune.scratch.zoom": 0.2}
    with pytest.raises(ConfigError, match="cannot hold the chain"):
        Clock(2.0, time.time()).sized(None)


def test_task_of_each_stage(boxed: Paths) -> None:
    """Of several stages the first may learn classes from a source, which is faster."""
    params = boxed.params
    assert chain.learned(params, chain.SCRATCH) == DETECT
    assert chain.learned(params, chain.PRETRAIN) == DETECT
    source = replace(params.datasets["target"], task="classify", images="data/raw/source")
    classes = replace(params, datasets={**params.datasets, "source": source})
    assert chain.learned(classes, chain.PRETRAIN) == CLASSIFY
    assert chain.learned(classes, chain.FINETUNE) == DETECT
