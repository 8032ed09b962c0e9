"""The loop: exact resume, exact repetition, and learning at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from sightline.data.loader import Images
from sightline.models.zoo import build
from sightline.train.checkpoint import Checkpoint
from sightline.train.loop import Epoch, plan, rate_at, train
from sightline.train.recipe import Recipe

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = Recipe(epochs=4, batch_size=8, learning_rate=0.05, rotate=5, scale=0.1)


def toys(count: int = 32) -> Images:
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(count) % 2
    noise = torch.randint(0, 100, (count, 3, 16, 16), generator=generator)
    return Images((noise + labels.view(-1, 1, 1, 1) * 100).to(torch.uint8), labels, ("dark", "bright"))


def weights_after(
    path: Path, recipe: Recipe = RECIPE, stop_after: int | None = None, network: str = "cnn"
) -> dict[str, torch.Tensor]:
    """Train; where `stop_after` is given, die after so many epochs and start again from the checkpoint."""
    torch.manual_seed(0)
    model = build(network, 2, 16)

    def on_epoch(epoch: Epoch) -> None:
        if epoch.epoch == stop_after:
            raise KeyboardInterrupt

    if stop_after:
        with pytest.raises(KeyboardInterrupt):
            train(model, toys(), toys(8), recipe, 3, Checkpoint(path), on_epoch)
        torch.manual_seed(99)
        model = build(network, 2, 16)
    train(model, toys(), toys(8), recipe, 3, Checkpoint(path), lambda _: None)
    return model.state_dict()


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("network", ["cnn", "mobilenet_v3_small"])
def test_resumed_run_equals_undisturbed_run(tmp_path: Path, network: str) -> None:
    """A run that died and was started again ends with the same weights, bit for bit, dropout included."""
    undisturbed = weights_after(tmp_path / "a.pt", network=network)
    resumed = weights_after(tmp_path / "b.pt", stop_after=2, network=network)
    assert same(undisturbed, resumed)


def test_same_seed_gives_same_weights(tmp_path: Path) -> None:
    """Two runs with the same seed agree bit for bit."""
    assert same(weights_after(tmp_path / "a.pt"), weights_after(tmp_path / "b.pt"))


def test_loop_learns(tmp_path: Path) -> None:
    """Images that differ in brightness are told apart after a few passes."""
    torch.manual_seed(0)
    history = train(build("cnn", 2, 16), toys(), toys(8), RECIPE, 0, Checkpoint(tmp_path / "c.pt"), lambda _: None)
    assert history[-1].val_accuracy == 1.0
    assert history[-1].train_loss < history[0].train_loss


def test_frozen_backbone_keeps_its_weights(tmp_path: Path) -> None:
    """With a frozen backbone the head alone changes, its normalisation statistics included."""
    torch.manual_seed(0)
    model = build("cnn", 2, 16)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    recipe = Recipe(epochs=1, batch_size=8, freeze_backbone=True)
    train(model, toys(), toys(8), recipe, 0, Checkpoint(tmp_path / "c.pt"), lambda _: None)
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"head.weight", "head.bias"}


def test_plan_gives_small_sets_enough_steps() -> None:
    """A set smaller than a batch is one batch, repeated until the floor of steps is reached."""
    schedule = plan(Recipe(epochs=2, batch_size=64, min_steps=30), images=50)
    assert (schedule.batch, schedule.steps_per_epoch, schedule.steps) == (50, 1, 30)


def test_rate_climbs_and_falls() -> None:
    """The rate climbs to its peak and falls to almost nothing at the end."""
    rates = [rate_at(step, 100, 0.1) for step in range(100)]
    assert max(rates) == 1.0
    assert rates.index(1.0) == 9
    assert rates[0] == pytest.approx(0.1)
    assert rates[-1] < 0.001
