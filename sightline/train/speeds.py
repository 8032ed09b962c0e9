"""The speeds that this machine was measured to have, remembered for all projects of a user.

A measurement holds for the same machine, libraries, processes, code of the training step and values that a step's time
depends on; whatever else a recipe says, it is not measured again. And it holds while the machine is as free as it was
then: beside one busy process two cores train at an eighth of their speed.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cache
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch

from sightline import stored
from sightline.digests import code_digest, digest_of
from sightline.errors import Damaged
from sightline.heads.labels import CLASSIFY
from sightline.models.device import best_device
from sightline.project import machine_cache
from sightline.train import speed
from sightline.train.machine import machine
from sightline.train.speed import Speed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sightline.recipe import Recipe

SWITCHES = {
    "weight_decay": 1e-4,
    "clip": 1.0,
    "label_smoothing": 0.1,
    "momentum": 0.9,
    "crop": 0.1,
    "rotate": 10.0,
    "scale": 0.1,
    "erase": 0.25,
    "mixup": 0.2,
    "cutmix": 1.0,
    "ema": 0.99,
}
"""Values of a recipe that cost as much however large they are, and one of each."""
PACE = "pace"
"""What is kept beside a measurement: the pace of the machine at that time."""
ALIKE = 1.3
"""Paces that differ by a smaller factor are the same: on quiet cores they vary by a tenth."""
TIMED, BATCH, SIDE = 0.1, 16, 32
"""Seconds, images and their side by which the pace is told."""


def remembered(
    runs: Path, network: str, size: int, recipe: Recipe, workers: int, seconds: float, task: str = CLASSIFY
) -> Speed:
    """The known speed, else what `sightline.train.speed` measures for about so many seconds, written down."""
    step = _step_of(recipe)
    found = once(
        runs,
        [network, size, step, workers, task],
        lambda: asdict(speed.speed(network, size, step, workers, seconds, task)),
    )
    return Speed(**found)


def once(runs: Path, what: list[Any], measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was measured of this machine when it was as free as now, else what `measure` says now, written down."""
    key = digest_of([machine(), code_digest(speed.__name__), *what])
    path = (machine_cache() or runs) / "speeds" / f"{key[:16]}.json"
    now = pace(best_device())
    with suppress(Damaged):
        kept = stored.kept(path, key)
        if 1 / ALIKE <= kept.pop(PACE) / now <= ALIKE:
            return kept
    found = measure()
    stored.keep(path, key, {**found, PACE: now})
    return found


@cache
def pace(device: torch.device) -> float:
    """Steps a second of a small network now: a tenth of a second tells how free the machine is."""
    from sightline.models.networks import build

    model, pixels = build(CLASSIFY, "cnn", 2, SIDE).to(device), torch.zeros(BATCH, 3, SIDE, SIDE, device=device)

    def timed(steps: int) -> float:
        began = perf_counter()
        for _ in range(steps):
            loss = model(pixels).square().mean()
            loss.backward()
        loss.item()  # a GPU is through only then
        return perf_counter() - began

    timed(1)
    steps = 1
    while (took := timed(steps)) < TIMED / 2:
        steps = math.ceil(steps * TIMED / took)
    return steps / took


def _step_of(recipe: Recipe) -> Recipe:
    """A recipe whose steps take the same time: of most values only whether they are 0 costs any."""
    onoff: dict[str, Any] = {name: float(getattr(recipe, name) > 0) * least for name, least in SWITCHES.items()}
    # Rates by depth make groups of weights, as many for any rate of the first layer.
    onoff["first_layer_rate"] = 1.0 if recipe.first_layer_rate == 1 else 0.5
    return replace(recipe, epochs=1, min_steps=0, steps=0, learning_rate=0.1, warmup=0.0, patience=0, **onoff)
