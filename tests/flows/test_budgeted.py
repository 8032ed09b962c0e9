"""A run with a budget, on toys and on a machine that seems to take a second for each image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import enter, make_images, make_project

from sightline.budget import choice, overhead, plan
from sightline.budget.overhead import Answers
from sightline.tracking.runs import connect
from sightline.train.speed import Speed

if TYPE_CHECKING:
    from pathlib import Path


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
