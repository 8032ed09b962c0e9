"""Recipes resolved to steps, and the rates of the steps."""

from __future__ import annotations

import pytest

from sightline.recipe import Recipe
from sightline.train.schedule import plan, rate_at


def test_plan_gives_small_sets_enough_steps() -> None:
    """A set smaller than a batch is one batch, repeated until the floor of steps is reached."""
    schedule = plan(Recipe(epochs=2, batch_size=64, min_steps=30), images=50)
    assert (schedule.batch, schedule.steps_per_epoch, schedule.steps) == (50, 1, 30)


def test_plan_keeps_to_given_steps() -> None:
    """Steps that are given win over epochs; the last pass may be cut short."""
    schedule = plan(Recipe(epochs=9, batch_size=10, min_steps=500, steps=25), images=100)
    assert (schedule.steps, schedule.epochs) == (25, 3)


def test_rate_climbs_and_falls() -> None:
    """The rate climbs to its peak and falls to almost nothing at the end, the momentum as it is."""
    pairs = [rate_at(step, 100, Recipe(epochs=1, warmup=0.1)) for step in range(100)]
    rates = [rate for rate, _ in pairs]
    assert max(rates) == 1.0
    assert rates.index(1.0) == 9
    assert rates[0] == pytest.approx(0.1)
    assert rates[-1] < 0.001
    assert {momentum for _, momentum in pairs} == {1.0}


def test_one_cycle_lowers_the_momentum_at_the_peak() -> None:
    """One cycle: rate from 1/25 up to 1 and down to 0, the momentum the other way round."""
    pairs = [rate_at(step, 100, Recipe(epochs=1, warmup=0.3, schedule="one_cycle")) for step in range(100)]
    assert list(pairs[0]) == pytest.approx([1 / 25, 1.0])
    assert list(pairs[30]) == pytest.approx([1.0, 0.85 / 0.95])
    assert pairs[99][0] < 0.001
    assert pairs[99][1] > 0.999
