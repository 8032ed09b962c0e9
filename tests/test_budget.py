"""A budget becomes a network, an image size and steps, once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from conftest import make_images, make_project, on_the_cpu

from sightline import budget, duration
from sightline.errors import ConfigError
from sightline.models.shipped import FRACTALS
from sightline.params import Pretrain, Train
from sightline.recipe import Recipe
from sightline.train import speeds
from sightline.train.speed import speed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.project import Paths

COUNTS = {"target": {"train": 108, "val": 18, "calib": 18, "test": 36}}


@pytest.fixture(scope="module", autouse=True)
def _speeds_of_a_cpu() -> Iterator[None]:
    """What fits a budget depends on the device; and two processes would want two GPUs."""
    with on_the_cpu():
        yield


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A toy project without a source."""
    home = tmp_path_factory.mktemp("budget")
    return make_project(home / "toy", make_images(home / "images", per_class=4))


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400)])
def test_times_are_read(text: str, seconds: float) -> None:
    """Seconds, minutes and hours."""
    assert duration.parse([text]) == seconds


@pytest.mark.parametrize("text", ["10", "ten minutes", "0m", "-5m"])
def test_other_times_are_refused(text: str) -> None:
    """What is no time is named, with the form that is."""
    with pytest.raises(ConfigError, match=r"write 90s, 10m or 1\.5h"):
        duration.parse([text])


def test_stages_have_times_of_their_own() -> None:
    """Each stage its own, or one for the whole run; not both, and none twice."""
    assert duration.parse(["pretrain=20m", "scratch=90s"]) == {"pretrain": 1200, "scratch": 90}
    for texts in (["10m", "scratch=5m"], ["scratch=5m", "scratch=6m"]):
        with pytest.raises(ConfigError, match="one time for the whole run, or one for each stage"):
            duration.parse(texts)


def test_stage_fills_its_time(paths: Paths, tmp_path: Path) -> None:
    """Steps of the stage fill its seconds at the measured speed, recorded once; an untrained stage is refused."""
    plan = budget.resolve_stages(tmp_path, {"scratch": 120.0}, paths.params, COUNTS)
    assert 100 < plan.steps["scratch"] * 64 / plan.rates["scratch"] < 120
    assert budget.resolve_stages(tmp_path, {"scratch": 120.0}, paths.params, COUNTS) == plan
    with pytest.raises(ConfigError, match=r"--budget pretrain=…: .*trains scratch"):
        budget.resolve_stages(tmp_path, {"pretrain": 60.0}, paths.params, COUNTS)


def test_more_time_gives_more_steps(paths: Paths, tmp_path: Path) -> None:
    """Steps fill the time that is left at the measured speed."""
    short, long = (
        budget.resolve(tmp_path / str(left), 60.0, lambda left=left: left, paths.params, COUNTS)  # type: ignore[misc]
        for left in (60.0, 180.0)
    )
    assert list(short.steps) == ["scratch"]
    filled = long.steps["scratch"] * 64 / long.rates["scratch"]
    assert 150 < filled < 170
    assert long.steps["scratch"] > 2 * short.steps["scratch"]
    assert short.said.startswith("60 s: cnn at 16 px, scratch ")
    assert short.said.endswith(f"Twice the time would bring {2 * short.steps['scratch'] * 64 / 108:.0f} passes.")


def test_plan_tells_what_more_time_brings(paths: Paths) -> None:
    """More passes, or the next rung of the ladder where there are passes enough for it."""
    params = replace(paths.params, preprocess=replace(paths.params.preprocess, size=32))
    few, many = (budget._said(600.0, params, {"scratch": steps}, COUNTS) for steps in (10, 100_000))
    assert few.endswith("from scratch that is 6 passes. Twice the time would bring 12 passes.")
    assert many.endswith("More time would bring cnn at 48 px.")


def test_plan_is_made_once(paths: Paths, tmp_path: Path) -> None:
    """The second time the record is taken, whatever the clock says; another budget is another plan."""
    first = budget.resolve(tmp_path, 60.0, lambda: 60.0, paths.params, COUNTS)
    assert budget.resolve(tmp_path, 60.0, lambda: 3600.0, paths.params, COUNTS) == first
    assert budget.resolve(tmp_path, 90.0, lambda: 3600.0, paths.params, COUNTS).steps != first.steps


def test_speed_is_measured_once(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another project, budget, rate or length takes the known speed; another batch or machine is measured."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first = budget.resolve(tmp_path, 60.0, lambda: 60.0, paths.params, COUNTS).rates
    scratch = paths.params.finetune.scratch

    def rates(recipe: Recipe) -> dict[str, float]:
        params = replace(paths.params, finetune=replace(paths.params.finetune, scratch=recipe))
        return budget.resolve(tmp_path / "another", 90.0, lambda: 90.0, params, COUNTS).rates

    assert rates(replace(scratch, epochs=9, learning_rate=0.01)) == first
    assert rates(replace(scratch, batch_size=32)) != first
    for kept in (tmp_path / "cache" / "sightline" / "speeds").iterdir():
        kept.write_text("{")
    anew = rates(replace(scratch, epochs=7))
    assert anew != first
    monkeypatch.setattr(speeds, "machine", lambda: {"cpu": "another"})
    assert rates(replace(scratch, epochs=8)) != anew


@pytest.mark.slow
def test_plan_counts_with_all_processes(paths: Paths, tmp_path: Path) -> None:
    """Where several train together, they are measured together; that they take time to start is counted too."""
    params = replace(
        paths.params,
        train=Train(workers=2),
        finetune=replace(paths.params.finetune, scratch=Recipe(epochs=1, batch_size=16)),
    )
    found = speed("cnn", params.preprocess.size, params.finetune.scratch, 2, 1.0)
    assert found.rate > 0
    assert found.start > 1
    plan = budget.resolve(tmp_path, 600.0, lambda: 600.0, params, COUNTS)
    filled = plan.steps["scratch"] * 16 / plan.rates["scratch"]
    assert 400 < filled < 580 - found.start / 2


def test_other_machines_are_not_planned_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would wait for training while the speed is measured: the message says what to set instead."""
    monkeypatch.setenv("PET_NNODES", "2")
    with pytest.raises(ConfigError, match=r"PET_NNODES.*steps"):
        speed("cnn", 16, Recipe(epochs=1), 1, 1.0)


@pytest.mark.slow
def test_rung_rises_with_the_budget(paths: Paths, tmp_path: Path) -> None:
    """Little time takes the small network, much of it a larger one on larger images."""
    small = budget.choose(tmp_path, 50.0, paths.params, {}, 10_000)
    large = budget.choose(tmp_path, 1e7, paths.params, {}, 1000)
    rate, clip = "finetune.scratch.learning_rate", "finetune.scratch.clip"
    assert small == {"pretrain.network": "cnn", "preprocess.size": 32, rate: 0.3, clip: 1.0}
    tuned = {"finetune.recipe.learning_rate": 0.03, "finetune.recipe.clip": 0.0}
    assert large == {"pretrain.network": "resnet18", "preprocess.size": 128, rate: 0.2, clip: 1.0, **tuned}


def test_given_values_are_kept(paths: Paths, tmp_path: Path) -> None:
    """What the user sets is not chosen: neither the network, the size nor the rate."""
    given = {"pretrain.network": "vgg11_bn", "preprocess.size": 48}
    assert budget.choose(tmp_path, 1e7, paths.params, given, 10) == {}
    # A rate of one's own comes without the clipping that goes with another.
    given = {"preprocess.size": 96, "finetune.scratch.learning_rate": 0.07}
    tuned = {"finetune.recipe.learning_rate": 0.03, "finetune.recipe.clip": 0.0}
    assert budget.choose(tmp_path, 1e7, paths.params, given, 10) == {"pretrain.network": "resnet18", **tuned}


@pytest.mark.slow
def test_network_of_the_weights_gets_images_by_the_time(paths: Paths, tmp_path: Path) -> None:
    """Little time takes small images for a backbone's network, whose size from scratch the ladder would not take."""
    params = replace(paths.params, pretrain=Pretrain(network="resnet18", recipe=Recipe(epochs=1), init="weights.pt"))
    small, large = (budget.choose(tmp_path, time, params, {}, 1000) for time in (50.0, 1e7))
    assert (small["preprocess.size"], large["preprocess.size"]) == (64, 128)
    assert small["pretrain.network"] == "resnet18"
    given = {"pretrain.network": "vgg11_bn"}
    assert budget.choose(tmp_path, 50.0, paths.params, given, 9) == {"preprocess.size": 64}


def test_steps_leave_time_to_score() -> None:
    """The more validation images, the fewer steps; never fewer than the floor."""
    recipe = Recipe(epochs=1)
    few, many = (budget.steps_in(100, 100.0, recipe, {"train": 640, "val": val}) for val in (0, 300))
    assert few == 156
    assert 100 < many < few
    assert budget.steps_in(-5, 100.0, recipe, {"train": 640}) == budget.FEWEST


def test_shipped_backbone_fixes_no_network(paths: Paths, tmp_path: Path) -> None:
    """Weights that came along unasked leave network and size to the time, as if there were none."""
    begun = replace(paths.params, pretrain=replace(paths.params.pretrain, init=FRACTALS))
    given = {"preprocess.size": 96}
    assert budget.choose(tmp_path, 1e7, begun, given, 10)["pretrain.network"] == "resnet18"
