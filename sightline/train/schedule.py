"""A recipe resolved to steps, and the rate of each step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.recipe import Recipe

FIRST = 1 / 25
"""Share of the peak rate at which a one-cycle run begins."""
LEAST = 0.85 / 0.95
"""Share of the momentum that is left at the peak of a one-cycle run."""


@dataclass(frozen=True)
class Schedule:
    """A recipe resolved to steps for a set of a given size."""

    batch: int
    steps_per_epoch: int
    steps: int

    @property
    def epochs(self) -> int:
        """Passes over the images; the last one may be cut short."""
        return -(-self.steps // self.steps_per_epoch)


def plan(recipe: Recipe, images: int) -> Schedule:
    """Resolve `recipe` for a training set of `images`: full batches only, at least `min_steps` steps."""
    batch = min(recipe.batch_size, images)
    per_epoch = images // batch
    passes = max(recipe.epochs, math.ceil(recipe.min_steps / per_epoch))
    return Schedule(batch, per_epoch, recipe.steps or passes * per_epoch)


def rate_at(step: int, steps: int, recipe: Recipe) -> tuple[float, float]:
    """Shares of the peak rate and of the momentum at `step`.

    `cosine`: a linear climb, then half a cosine down to zero, the momentum as it is. `one_cycle` (Smith & Topin 2018):
    half a cosine up from 1/25, another down to zero, while the momentum falls and comes back.
    """
    climb = max(1, round(recipe.warmup * steps))
    down = 0.5 * (1 + math.cos(math.pi * (step - climb) / max(1, steps - climb)))
    if recipe.schedule == "cosine":
        return ((step + 1) / climb if step < climb else down), 1.0
    up = 0.5 * (1 - math.cos(math.pi * step / climb))
    height = up if step < climb else down
    return (FIRST + (1 - FIRST) * up if step < climb else down), 1 - (1 - LEAST) * height
