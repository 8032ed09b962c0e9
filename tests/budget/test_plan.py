"""A budget becomes a network, an image size and steps, once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from conftest import make_images, make_project, on_the_cpu

from sightline import config, duration
from sightline.budget import choice, overhead, plan
from sightline.budget.choice import choose, replaced
from sightline.budget.overhead import Answers, Overhead
from sightline.errors import ConfigError, ModelError
from sightline.models.shipped import FRACTALS
from sightline.params import Pretrain, Train
from sightline.recipe import Recipe
from sightline.train import speeds
from sightline.train.speed import Speed, speed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sightline.project import Paths

BESIDE = Overhead(head=5.0, tail=8.0, shown=True)
ANSWERS = Answers(plain=1000.0, corrupted=500.0)
COUNTS = {"target": {"train": 108, "val": 18, "calib": 18, "test": 36}}


def at_once(_network: str, _size: int) -> float:
    """Seconds of the answers of an evaluation that takes no time."""
    return 0.0


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
    made = plan.resolve_stages(tmp_path, {"scratch": 120.0}, paths.params, COUNTS)
    assert 100 < made.steps["scratch"] * 64 / made.rates["scratch"] < 120
    assert plan.resolve_stages(tmp_path, {"scratch": 120.0}, paths.params, COUNTS) == made
    with pytest.raises(ConfigError, match=r"--budget pretrain=…: .*trains scratch"):
        plan.resolve_stages(tmp_path, {"pretrain": 60.0}, paths.params, COUNTS)


def test_more_time_gives_more_steps(paths: Paths, tmp_path: Path) -> None:
    """Steps fill the time that is left at the measured speed."""
    short, long = (
        plan.resolve(tmp_path / str(left), 60.0, lambda left=left: left, paths.params, COUNTS, BESIDE, ANSWERS)  # type: ignore[misc]
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
    few, many = (plan._said(600.0, params, {"scratch": steps}, COUNTS) for steps in (10, 100_000))
    assert few.endswith("from scratch that is 6 passes. Twice the time would bring 12 passes.")
    assert many.endswith("More time would bring cnn at 48 px.")


def test_plan_is_made_once(paths: Paths, tmp_path: Path) -> None:
    """The second time the record is taken, whatever the clock says; another budget is another plan."""
    first = plan.resolve(tmp_path, 60.0, lambda: 60.0, paths.params, COUNTS, BESIDE, ANSWERS)
    assert plan.resolve(tmp_path, 60.0, lambda: 3600.0, paths.params, COUNTS, BESIDE, ANSWERS) == first
    assert plan.resolve(tmp_path, 90.0, lambda: 3600.0, paths.params, COUNTS, BESIDE, ANSWERS).steps != first.steps


@pytest.mark.slow
def test_speed_is_measured_once(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another project, budget, rate or length takes the known speed; another batch or machine is measured."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first = plan.resolve(tmp_path, 60.0, lambda: 60.0, paths.params, COUNTS, BESIDE, ANSWERS).rates
    scratch = paths.params.finetune.scratch

    def rates(recipe: Recipe) -> dict[str, float]:
        params = replace(paths.params, finetune=replace(paths.params.finetune, scratch=recipe))
        return plan.resolve(tmp_path / "another", 90.0, lambda: 90.0, params, COUNTS, BESIDE, ANSWERS).rates

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
    made = plan.resolve(tmp_path, 600.0, lambda: 600.0, params, COUNTS, BESIDE, ANSWERS)
    filled = made.steps["scratch"] * 16 / made.rates["scratch"]
    assert 400 < filled < 580 - found.start / 2


def test_other_machines_are_not_planned_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would wait for training while the speed is measured: the message says what to set instead."""
    monkeypatch.setenv("PET_NNODES", "2")
    with pytest.raises(ConfigError, match=r"PET_NNODES.*steps"):
        speed("cnn", 16, Recipe(epochs=1), 1, 1.0)


RATES = {("cnn", 32): 1400, ("cnn", 48): 750, ("cnn", 64): 420, ("resnet18", 96): 150, ("resnet18", 128): 90}
RATES |= {("resnet50", 160): 20, ("resnet50", 192): 14, ("resnet50", 224): 10}
"""Images a second that two cores learn from."""


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Makes this machine so many times as fast as two cores: a plan sees nothing of it but its measured speed."""

    def times(faster: float) -> None:
        def known(_runs: Path, network: str, size: int, *_: object) -> Speed:
            # Networks beside the ladder learn as fast as ResNet-18, and by the pixel.
            return Speed(RATES.get((network, size), RATES["resnet18", 96] * (96 / size) ** 2) * faster)

        for module in (choice, plan):
            monkeypatch.setattr(module, "remembered", known)

    return times


def rung(chosen: dict[str, Any]) -> tuple[str, int]:
    return chosen["pretrain.network"], chosen["preprocess.size"]


def test_rung_rises_with_the_budget(paths: Paths, tmp_path: Path, rates: Callable[[float], None]) -> None:
    """Little time takes the small network, much of it a larger one on larger images, each with its own rate."""
    rates(1)
    small = choose(tmp_path, 50.0, paths.params, {}, 10_000, BESIDE, at_once)
    large = choose(tmp_path, 3600.0, paths.params, {}, 1000, BESIDE, at_once)
    rate, clip = "finetune.scratch.learning_rate", "finetune.scratch.clip"
    assert small == {"pretrain.network": "cnn", "preprocess.size": 32, rate: 0.3, clip: 1.0}
    tuned = {"finetune.recipe.learning_rate": 0.03, "finetune.recipe.clip": 0.0}
    assert large == {"pretrain.network": "resnet18", "preprocess.size": 128, rate: 0.2, clip: 1.0, **tuned}


def test_fast_machine_climbs_the_ladder(paths: Paths, tmp_path: Path, rates: Callable[[float], None]) -> None:
    """Fifty times as fast it trains ResNets in the minutes in which two cores train the small network."""
    rates(50)
    taken = [rung(choose(tmp_path, 60.0 * time, paths.params, {}, 1000, BESIDE, at_once)) for time in (1, 5, 10)]
    assert taken == [("resnet18", 128), ("resnet50", 192), ("resnet50", 224)]


def test_slow_answers_take_a_smaller_network(paths: Paths, tmp_path: Path, rates: Callable[[float], None]) -> None:
    """A rung whose evaluation would leave no time to train is not taken, and answers are asked for no rung above it."""
    rates(50)
    asked: list[tuple[str, int]] = []

    def answering(network: str, size: int) -> float:
        asked.append((network, size))
        return 40.0 if network == "resnet18" else 2.0

    assert rung(choose(tmp_path, 60.0, paths.params, {}, 1000, BESIDE, answering)) == ("cnn", 64)
    assert asked == [("cnn", 48), ("cnn", 64), ("resnet18", 96)]


def test_fast_machine_trains_most_of_the_time(paths: Paths, tmp_path: Path, rates: Callable[[float], None]) -> None:
    """What is fixed takes as long as on two cores; at least three fifths of three minutes and more are for training."""
    rates(50)
    counts = {"target": {"train": 900, "val": 200, "calib": 0, "test": 360}}
    answers = Answers(plain=30_000.0, corrupted=500.0)
    beside = Overhead(head=overhead.HEAD, tail=overhead.TAIL, shown=False)
    for seconds in (180.0, 600.0):
        chosen = choose(tmp_path, seconds, paths.params, {}, 900, beside, at_once)
        params = config.load(paths.root, chosen)
        made = plan.resolve(tmp_path, seconds, lambda left=seconds: left - 20, params, counts, beside, answers)  # type: ignore[misc]
        trained = made.steps["scratch"] * params.finetune.scratch.batch_size / made.rates["scratch"]
        assert trained / seconds >= 0.6


def test_budget_that_cannot_hold_the_chain_is_refused(paths: Paths, tmp_path: Path) -> None:
    """The message says the least time that would do, and that does; where nothing is known yet, half of it may."""
    with pytest.raises(ConfigError, match=r"--budget 10 s .*takes about 13 s .*give (\d+) s at least") as told:
        plan.check(tmp_path, 10.0, paths.params, BESIDE)
    least = float(str(told.value).split("give ")[1].split()[0])
    plan.check(tmp_path, least, paths.params, BESIDE)
    plan.check(tmp_path, least / 2, paths.params, replace(BESIDE, shown=False))


def test_data_that_were_ready_too_late_leave_nothing_to_train(paths: Paths, tmp_path: Path) -> None:
    """It is told before training, with the least time that would do; no plan is written down."""
    with pytest.raises(ConfigError, match=r"the data were ready after 55 s.*give \d+ s at least"):
        plan.resolve(tmp_path, 60.0, lambda: 5.0, paths.params, COUNTS, BESIDE, ANSWERS)
    assert plan.resolve(tmp_path, 60.0, lambda: 50.0, paths.params, COUNTS, BESIDE, ANSWERS).steps["scratch"] > 20


def test_given_values_are_kept(paths: Paths, tmp_path: Path, rates: Callable[[float], None]) -> None:
    """What the user sets is not chosen: neither the network, the size nor the rate."""
    rates(1)
    given = {"pretrain.network": "vgg11_bn", "preprocess.size": 48}
    assert choose(tmp_path, 1e7, paths.params, given, 10, BESIDE, at_once) == {}
    # A rate of one's own comes without the clipping that goes with another.
    given = {"preprocess.size": 96, "finetune.scratch.learning_rate": 0.07}
    tuned = {"finetune.recipe.learning_rate": 0.03, "finetune.recipe.clip": 0.0}
    assert choose(tmp_path, 1e7, paths.params, given, 10, BESIDE, at_once) == {
        "pretrain.network": "resnet18",
        **tuned,
    }
    # A short key names the same value.
    given = {"preprocess.size": 96, "finetune.learning_rate": 0.07, "finetune.scratch.clip": 0.5}
    assert choose(tmp_path, 1e7, paths.params, given, 10, BESIDE, at_once) == {"pretrain.network": "resnet18"}


def test_values_that_give_way_to_the_budget_are_told(
    paths: Paths, tmp_path: Path, rates: Callable[[float], None]
) -> None:
    """Those of params.yaml that the choice replaces are named with what keeps them, which does; the others are not."""
    rates(1)
    chosen = choose(tmp_path, 50.0, paths.params, {}, 10_000, BESIDE, at_once)
    said, _, words = replaced(paths.params, chosen).partition("; to keep a value of params.yaml give it as well: ")
    assert said.startswith("preprocess.size = 32 instead of 16, finetune.scratch.learning_rate = 0.3 instead of 0.1")
    assert "pretrain.network" not in said
    given = dict(config.parse_setting(text) for text in words.removeprefix("--set ").split(" --set "))
    kept = choose(tmp_path, 50.0, paths.params, given, 10_000, BESIDE, at_once)
    assert replaced(paths.params, kept) == ""


def test_network_of_the_weights_gets_images_by_the_time(
    paths: Paths, tmp_path: Path, rates: Callable[[float], None]
) -> None:
    """Little time takes small images for a backbone's network, whose size from scratch the ladder would not take."""
    rates(1)
    params = replace(
        paths.params,
        preprocess=replace(paths.params.preprocess, size=64),
        pretrain=Pretrain(network="resnet18", recipe=Recipe(epochs=1), init="weights.pt"),
    )
    small, large = (choose(tmp_path, time, params, {}, 1000, BESIDE, at_once) for time in (50.0, 1e7))
    assert (small["preprocess.size"], large["preprocess.size"]) == (64, 128)
    assert small["pretrain.network"] == "resnet18"
    given = {"pretrain.network": "vgg11_bn"}
    # The project's own 16 px are too small for it.
    assert choose(tmp_path, 50.0, paths.params, given, 1000, BESIDE, at_once) == {"preprocess.size": 64}


def test_size_that_a_network_cannot_take_is_not_chosen(
    paths: Paths, tmp_path: Path, rates: Callable[[float], None]
) -> None:
    """It is left out; the project's own size counts too, and where none is left that is told with what to set."""
    rates(1)

    def chosen(network: str, own: int, seconds: float) -> dict[str, Any]:
        params = replace(paths.params, preprocess=replace(paths.params.preprocess, size=own))
        return choose(tmp_path, seconds, params, {"pretrain.network": network}, 1000, BESIDE, at_once)

    assert chosen("inception_v3", 32, 50.0) == {"preprocess.size": 96}
    assert chosen("maxvit_t", 224, 50.0) == chosen("maxvit_t", 224, 1e7) == {"preprocess.size": 224}
    with pytest.raises(ModelError, match=r"maxvit_t takes none .* 64, 96, 128 px: .* --set preprocess\.size=224$"):
        chosen("maxvit_t", 64, 50.0)
    with pytest.raises(ModelError, match="did you mean resnet18"):
        chosen("resnet1", 64, 50.0)


def test_steps_leave_time_to_score() -> None:
    """The more validation images, the fewer steps; never fewer than the floor."""
    recipe = Recipe(epochs=1)
    few, many = (plan.steps_in(100, 100.0, recipe, {"train": 640, "val": val}) for val in (0, 300))
    assert few == 156
    assert 100 < many < few
    assert plan.steps_in(-5, 100.0, recipe, {"train": 640}) == plan.FEWEST


def test_shipped_backbone_fixes_no_network(paths: Paths, tmp_path: Path) -> None:
    """Weights that came along unasked leave network and size to the time, as if there were none."""
    begun = replace(paths.params, pretrain=replace(paths.params.pretrain, init=FRACTALS))
    given = {"preprocess.size": 96}
    assert choose(tmp_path, 1e7, begun, given, 10, BESIDE, at_once)["pretrain.network"] == "resnet18"
