"""A step as fast as the device allows: recorded and compiled on a GPU, where that changes nothing but the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import Tensor, nn

from sightline.models.device import best_device, repeatable
from sightline.models.zoo import Classifier, build
from sightline.recipe import Recipe
from sightline.train import compiled, loop, optim
from sightline.train.batches import generator_for
from sightline.train.step import Step, learn

if TYPE_CHECKING:
    from collections.abc import Callable

RECIPE = Recipe(epochs=1, learning_rate=0.02)
on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


class Looking(nn.Module):
    """Decides by what it computes, for which the host waits, and forgets at random."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.forget = nn.Conv2d(3, 8, 3), nn.Dropout(0.5)

    def forward(self, images: Tensor) -> Tensor:
        """Features (N, 8)."""
        features: Tensor = self.forget(self.first(images).relu()).mean((2, 3))
        return features * 2 if bool(features.detach().sum() > 1e9) else features


def small() -> Classifier:
    """Without dropout."""
    return build("cnn", 2, 32)


def dropping() -> Classifier:
    """With dropout and statistics."""
    return build("mobilenet_v3_small", 2, 32)


def striding() -> Classifier:
    """With a first convolution that a GPU computes in blocks."""
    return build("resnet18", 2, 32)


def looking() -> Classifier:
    """What cannot be recorded."""
    return Classifier(Looking(), 8, 2)


def trained(
    make: Callable[[], nn.Module], recipe: Recipe, *, plain: bool, steps: int = 8, counts: tuple[int, ...] = (16,)
) -> list[Tensor]:
    """The losses of steps on batches of noise, as many images each as `counts` say in turn, and the weights."""
    torch.manual_seed(0)
    state = loop.begin(make(), recipe)
    state.model.train()
    step = Step(state, recipe)
    losses = []
    for number in range(steps):
        generator = torch.Generator().manual_seed(number)
        count = counts[number % len(counts)]
        batch = torch.randn(count, 3, 32, 32, generator=generator).to(best_device())
        targets = torch.randint(2, (count,), generator=generator).to(best_device())
        torch.manual_seed(generator_for(0, 0, number).initial_seed())
        optim.set_rate(state.optimiser, recipe, 0.5, 1.0)
        loss = learn(state, batch, targets, recipe, None) if plain else step(batch, targets)
        losses.append(loss.clone())
    return [*losses, *(value.clone() for value in state.model.state_dict().values())]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("make", "recipe"),
    [
        (small, RECIPE),
        (small, Recipe(epochs=1, accumulate=2, balance="none", ema=0.9, clip=1.0)),
        (dropping, Recipe(epochs=1, optimiser="adamw", learning_rate=1e-3, schedule="one_cycle")),
        (striding, RECIPE),
        (looking, RECIPE),
    ],
)
def test_steps_give_what_plain_steps_give(make: Callable[[], nn.Module], recipe: Recipe) -> None:
    """The same losses and weights to the bit, dropout and statistics included, recorded on a GPU or refused there."""
    with repeatable(torch.cuda.is_available()):
        assert same(trained(make, recipe, plain=False), trained(make, recipe, plain=True))


@on_gpu
def test_other_shapes_are_recorded_anew() -> None:
    """A smaller batch between two others changes nothing but the time."""
    with repeatable(wanted=True):
        found = [trained(small, RECIPE, plain=plain, counts=(16, 16, 12)) for plain in (False, True)]
    assert same(*found)


@on_gpu
@pytest.mark.slow
def test_long_runs_are_compiled() -> None:
    """Where many steps are left the network is compiled, which is told, and goes on learning the same."""
    told: list[str] = []
    losses = []
    for left in (0, 10**7):
        torch.manual_seed(0)
        state = loop.begin(build("cnn", 2, 32), RECIPE)
        state.model.train()
        step = Step(state, RECIPE, left=left, tell=told.append)
        generator = torch.Generator().manual_seed(0)
        batch = torch.randn(64, 3, 32, 32, generator=generator).to(best_device())
        targets = (batch.mean((1, 2, 3)) > 0).long()
        optim.set_rate(state.optimiser, RECIPE, 0.2, 1.0)
        losses.append([float(step(batch, targets)) for _ in range(70)])
    assert len(told) == 2
    assert "compiled in" in told[1] or "could not be compiled" in told[1]
    assert losses[0][-1] == pytest.approx(losses[1][-1], abs=0.02)


def test_compiling_costs_by_the_layers() -> None:
    """A deep network takes longer than a small one, and the reason of a failure is one line."""
    assert compiled.cost(build("cnn", 2, 32)) < compiled.cost(build("resnet18", 2, 32))
    assert compiled.reason(OSError("\n no compiler \n at all")) == "OSError: no compiler"
