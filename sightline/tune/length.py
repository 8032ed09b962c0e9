"""How long a trial trains: all of a study take the same time, whatever their network, image size and augmentation.

Time is counted in images of the present recipe, by speeds that were measured once for the study: so a trial is the same
on every machine that takes part, and a machine that is busy does not change what is compared.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from sightline.budget.ladder import LADDER
from sightline.errors import ConfigError
from sightline.heads.known import of
from sightline.heads.labels import CLASSIFY
from sightline.train.chain import SCRATCH, learned
from sightline.train.schedule import plan
from sightline.train.speeds import remembered
from sightline.tune.space import Asked, Rung

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sightline.params import Params
    from sightline.recipe import Recipe
    from sightline.tune.space import Space

SHARE = 0.5
"""Of a whole training: half as long tells which recipe is the better one in nearly all cases."""
TRIALS = 12
"""Trials that a budget must hold at least: where whole trainings are longer than that, a trial is a smaller share."""
NEEDED = 0.5
"""Share of the passes of `LADDER` from which a rung is worth a trial: the search may know better."""
MEASURED = 1.5
"""Seconds for which a speed is measured."""
STEPS = (-64, 64, 128)
"""Pixels by which the images of detectors may differ from the present ones, which are multiples of 64."""
FIXED = {"pretrain.network": "network", "preprocess.size": "size"}
"""Values that are not searched where they are given for the run, and what they are of a rung."""
SAME = 0.03
"""Difference of two times that is no difference."""


@dataclass(frozen=True, kw_only=True)
class Length:
    """What a study measured before its first trial."""

    share: float
    """Of a whole training that a trial is."""
    images: int
    """Training images."""
    rates: dict[str, float]
    """Rung → images a second, with the recipe from scratch as it is; the present one first."""
    task: str = CLASSIFY
    """By which the speeds go."""

    def trial(self, runs: Path, space: Space, asked: Asked, workers: int) -> Recipe:
        """The recipe with the steps of a trial."""
        return replace(asked.recipe, steps=max(1, round(self.share * self._steps(runs, space, asked, workers))))

    def whole(self, runs: Path, space: Space, asked: Asked, workers: int) -> Recipe:
        """The recipe for a whole training: as many passes as take the time that the present recipe takes."""
        base = space.bases[asked.way]
        steps, present = self._steps(runs, space, asked, workers), plan(base, self.images)
        if asked.recipe.batch_size == base.batch_size and abs(steps / present.steps - 1) <= SAME:
            return asked.recipe
        batches = plan(asked.recipe, self.images).steps_per_epoch
        return replace(asked.recipe, epochs=max(1, int(steps / batches)), min_steps=round(steps), steps=0)

    def given(self, recipe: Recipe, seconds: float) -> Length:
        """With trials as long as a search of so many seconds allows, by the speeds that were measured before."""
        whole = _whole(recipe, self.images, next(iter(self.rates.values())))
        return replace(self, share=_share(whole, seconds))

    def _steps(self, runs: Path, space: Space, asked: Asked, workers: int) -> float:
        """Steps of a whole training."""
        base, own = space.bases[asked.way], space.rungs[0]
        present, batch = plan(base, self.images), plan(asked.recipe, self.images).batch
        dearer = _rate(runs, own, base, workers, self.task) / _rate(runs, own, asked.recipe, workers, self.task)
        faster = self.rates[str(asked.rung)] / self.rates[str(own)]
        return present.steps * present.batch * faster / dearer / batch

    def as_json(self) -> dict[str, Any]:
        """Plain values, which make the same again."""
        return asdict(self)


def check(runs: Path, params: Params, seconds: float, spent: float, images: int) -> None:
    """Raise ConfigError, with the least time that would do, where none of a budget is left.

    `seconds`: what is left of it; `spent`: what was taken before; `images`: those to train on.
    """
    if seconds > 0:
        return
    own = Rung(network=params.pretrain.network, size=params.preprocess.size)
    recipe, task = params.finetune.scratch, learned(params, SCRATCH)
    whole = _whole(recipe, images, _rate(runs, own, recipe, params.train.workers, task))
    raise ConfigError(
        f"--budget {seconds + spent:.0f}s is over before the first trial: preparation took {spent:.0f} s. A whole "
        f"training takes about {whole:.0f} s here, and a search as long holds {TRIALS} trials of {whole / TRIALS:.2g} "
        f"s: give --budget {math.ceil((spent + whole) / 60)}m at least"
    )


def measure(
    runs: Path, params: Params, seconds: float, images: int, rungs: Mapping[Rung, int]
) -> tuple[Length, list[Rung]]:
    """The length of the trials of a study with so many `seconds`, and those of the rungs that are worth trying.

    `rungs`: the present one first, each with the passes that it needs.
    """
    recipe, workers, task = params.finetune.scratch, params.train.workers, learned(params, SCRATCH)
    own, *others = rungs
    rates = {str(own): _rate(runs, own, recipe, workers, task)}
    whole = _whole(recipe, images, rates[str(own)])
    kept = [own]
    for rung in others:
        rates[str(rung)] = _rate(runs, rung, recipe, workers, task)
        if whole * rates[str(rung)] < NEEDED * rungs[rung] * images:
            break
        kept.append(rung)
    return Length(share=_share(whole, seconds), images=images, rates=rates, task=task), kept


def rungs(params: Params, given: Mapping[str, Any], *, has_backbone: bool) -> dict[Rung, int]:
    """The present network and image size, and others that are not fixed, each with the passes that it needs.

    Those of the ladder; a backbone fixes both, and so does whoever gives them for this run. Where boxes are looked for
    the network stays, and other sizes are tried: how small the objects are decides that, which no ladder knows.
    """
    own = Rung(network=params.pretrain.network, size=params.preprocess.size)
    others = {Rung(network=network, size=size): passes for (network, size), passes in LADDER.items()}
    if of(params.task_of("target")).is_located:
        others = {Rung(network=own.network, size=own.size + step): 0 for step in STEPS if own.size + step > 0}
    elif has_backbone:
        others = {}
    fixed = [part for key, part in FIXED.items() if key in given]
    kept = {
        one: passes for one, passes in others.items() if all(getattr(one, part) == getattr(own, part) for part in fixed)
    }
    return {own: 0} | {one: passes for one, passes in kept.items() if one != own}


def _whole(recipe: Recipe, images: int, rate: float) -> float:
    """Seconds of a whole training."""
    present = plan(recipe, images)
    return present.steps * present.batch / rate


def _share(whole: float, seconds: float) -> float:
    """Of a whole training, which takes `whole` seconds, that a trial is in a search of so many."""
    return min(SHARE, seconds / (TRIALS * whole))


def _rate(runs: Path, rung: Rung, recipe: Recipe, workers: int, task: str) -> float:
    return remembered(runs, rung.network, rung.size, recipe, workers, MEASURED, task).rate
