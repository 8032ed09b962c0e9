"""A run with a budget, on toys and on a machine that seems to take a second for each image."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from conftest import enter, make_images, make_project
from prefect.logging import disable_run_logger

from flows import budget
from sightline.budget import choice, overhead, plan
from sightline.budget.overhead import Answers
from sightline.data import shards
from sightline.errors import ConfigError
from sightline.tracking.runs import connect
from sightline.train.speed import Speed

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
def test_run_trains_by_its_plan_and_remembers_what_it_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps fill the hour at the measured speed; what the run took beside training is what the next one counts with."""
    from flows.train import train

    paths = enter(make_project(tmp_path / "toy project", make_images(tmp_path / "images")), monkeypatch)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for module in (choice, plan):
        monkeypatch.setattr(module, "remembered", lambda *_: Speed(1.0))
    monkeypatch.setattr(overhead, "answers", lambda *_: Answers(plain=1000.0, corrupted=1000.0))
    assert not overhead.expected(paths.runs, 0.0, 180).shown
    done = train({"preprocess.size": 16, "pretrain.network": "cnn"}, 3600.0)
    assert done.outcome.version == "1"
    tracker = connect(paths)
    (run,) = [one for one in tracker.client.search_runs([tracker.experiment]) if "plan" in one.data.tags]
    steps = int(run.data.tags["plan"].split("scratch ")[1].split()[0])
    assert 64 * plan.FEWEST < 64 * steps < 3600
    beside = overhead.expected(paths.runs, 0.0, 180)
    assert beside.shown
    assert beside.head > 0
    assert beside.tail > 0
    # The plan was made: it is followed, however busy the machine has become.
    for module in (choice, plan):
        monkeypatch.setattr(module, "remembered", lambda *_: Speed(1e-3))
    assert train({"preprocess.size": 16, "pretrain.network": "cnn"}, 3600.0, verify=True).outcome.version == "1"


def test_budget_that_is_too_short_is_told_before_the_data_are_prepared(
    ingested: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they are ready, and more so where they are at another size; what was begun is not refused later."""
    shards.preprocess(ingested, "target")
    monkeypatch.chdir(ingested.root)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(budget, "start_ahead", lambda _: None)
    monkeypatch.setattr(plan, "remembered", lambda *_: Speed(1000.0))
    overhead.remember(ingested.runs, 50.0, 10.0, 0.0, 180)

    def sized(seconds: float, size: int) -> dict[str, Any]:
        with disable_run_logger():
            return budget.Clock(seconds, time.time()).sized({"preprocess.size": size, "pretrain.network": "cnn"})

    for seconds, size, least in ((7.0, 16, "15 s"), (30.0, 24, "70 s"), (30.0, 24, "70 s")):
        with pytest.raises(ConfigError, match=f"{seconds:.0f} s cannot hold the chain: .* give {least} at least"):
            sized(seconds, size)
    assert sized(30.0, 16)["preprocess.size"] == 16
    monkeypatch.setattr(plan, "remembered", lambda *_: Speed(1e-3))
    assert sized(30.0, 16)["preprocess.size"] == 16
    with pytest.raises(ConfigError, match="31 s cannot hold the chain"):
        sized(31.0, 16)
