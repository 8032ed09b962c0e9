"""The speeds that this machine was measured to have, remembered for all projects of a user.

A measurement holds for the same machine, libraries, processes, code of the training step and values that a step's time
depends on; whatever else a recipe says, it is not measured again.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from sightline import stored
from sightline.digests import code_digest, digest_of
from sightline.errors import Damaged
from sightline.files import write_atomically
from sightline.project import machine_cache
from sightline.train import speed
from sightline.train.machine import machine
from sightline.train.speed import Speed

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.recipe import Recipe


def remembered(runs: Path, network: str, size: int, recipe: Recipe, workers: int, seconds: float) -> Speed:
    """The known speed, else what `sightline.train.speed` measures for about so many seconds, written down."""
    # How far and how fast the rate climbs, and for how long, takes no time.
    step = replace(recipe, epochs=1, min_steps=0, steps=0, learning_rate=0.1, warmup=0.0)
    key = digest_of([machine(), code_digest(speed.__name__), network, size, step, workers])
    path = (machine_cache() or runs) / "speeds" / f"{key[:16]}.json"
    try:
        return Speed(**stored.unseal(path))
    except (Damaged, TypeError):
        found = speed.speed(network, size, recipe, workers, seconds)
    write_atomically(path, stored.seal(asdict(found)))
    return found
