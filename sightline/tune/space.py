"""What a study searches: values of `params.yaml` under their own names, around those that the project has.

Every name that is suggested is a key that `--set` takes, but for three: `way` chooses the recipe, `rung` stands for
network and image size together, `augmentation` for the values that change images.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from sightline.heads.known import of
from sightline.train.chain import FINETUNE, SCRATCH

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from optuna.trial import BaseTrial

    from sightline.params import Params
    from sightline.recipe import Recipe

WAYS = {FINETUNE: "finetune.recipe", SCRATCH: "finetune.scratch"}
"""Stage → where its recipe stands."""
WAY, RUNG, AUGMENTATION = "way", "rung", "augmentation"
RANGE = 4.0
"""Rates are searched up to so many times above and below the present one."""
DECAY, SMOOTHING, CROP, ZOOM, FIRST = (5e-5, 5e-3), (0.0, 0.2), (0.0, 0.2), (0.2, 0.8), (0.1, 1.0)
AVERAGES = (0.0, 0.99, 0.999)
AUGMENTATIONS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "rotate and scale": {"rotate": 10.0, "scale": 0.1},
    "trivial": {"trivial": True},
    "erase": {"erase": 0.25},
    "mixup": {"mixup": 0.2},
    "cutmix": {"cutmix": 1.0},
}
"""What is done to images besides; mirroring changes what some images mean, and is for people to decide."""
DIGITS = 3
"""Significant digits of a value: more would mean nothing."""


@dataclass(frozen=True, kw_only=True)
class Rung:
    """A network and the side of its images, pixels."""

    network: str
    size: int

    def __str__(self) -> str:
        return f"{self.network} at {self.size} px"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a trial shall train."""

    way: str
    """finetune or scratch."""
    rung: Rung
    recipe: Recipe


@dataclass(frozen=True, kw_only=True)
class Space:
    """What is searched in a project."""

    bases: dict[str, Recipe]
    """Way → its present recipe."""
    rungs: tuple[Rung, ...]
    """The present one first."""
    unused: frozenset[str] = frozenset()
    """Values of a recipe that the task does not look at."""

    @property
    def first(self) -> str:
        """The way that is tried on every rung."""
        return next(iter(self.bases))

    def has(self, asked: Asked) -> bool:
        """Whether it is what the project has already."""
        return asked.rung == self.rungs[0] and asked.recipe == self.bases[asked.way]

    def starts(self) -> list[dict[str, Any]]:
        """What is tried first, as a trial's parameters: the present recipe in each way and on each rung."""
        ways = [self._named(way, self.rungs[0]) for way in self.bases]
        return [*ways, *(self._named(self.first, rung) for rung in self.rungs[1:])]

    def _named(self, way: str, rung: Rung) -> dict[str, Any]:
        base = self.bases[way]
        named = {f"{WAYS[way]}.{name}": getattr(base, name) for name in self._searched(way)}
        named[f"{WAYS[way]}.{AUGMENTATION}"] = next(iter(AUGMENTATIONS))
        choices = {WAY: (way, self.bases), RUNG: (str(rung), self.rungs)}
        return named | {name: value for name, (value, among) in choices.items() if len(among) > 1}

    def ask(self, trial: BaseTrial) -> Asked:
        """What Optuna suggests."""
        way = trial.suggest_categorical(WAY, list(self.bases)) if len(self.bases) > 1 else self.first
        rung = self.rungs[0]
        if len(self.rungs) > 1:
            chosen = trial.suggest_categorical(RUNG, [str(one) for one in self.rungs])
            rung = next(one for one in self.rungs if str(one) == chosen)
        base, stem = self.bases[way], WAYS[way]
        given: dict[str, Any] = {}
        for name, among in self._searched(way).items():
            own = getattr(base, name)
            if isinstance(among, list):
                given[name] = trial.suggest_categorical(f"{stem}.{name}", among)
                continue
            low, high = min(among[0], own), max(among[1], own)
            log = name in {"learning_rate", "weight_decay", "first_layer_rate"} and low > 0
            value = trial.suggest_float(f"{stem}.{name}", low, high, log=log)
            given[name] = own if value == own else rounded(value)
        changes = [name for name, values in AUGMENTATIONS.items() if not self.unused & set(values)]
        added = AUGMENTATIONS[trial.suggest_categorical(f"{stem}.{AUGMENTATION}", changes)]
        return Asked(way=way, rung=rung, recipe=replace(base, **given, **added))

    def values(self, asked: Asked) -> dict[str, Any]:
        """The keys and values of `params.yaml` that make a run train what was asked, as far as they differ."""
        base, stem = self.bases[asked.way], WAYS[asked.way]
        pairs = {
            name: (getattr(base, name), getattr(asked.recipe, name)) for name in (one.name for one in fields(base))
        }
        found = {f"{stem}.{name}": now for name, (before, now) in pairs.items() if now != before}
        if asked.rung.network != self.rungs[0].network:
            found["pretrain.network"] = asked.rung.network
        if asked.rung.size != self.rungs[0].size:
            found["preprocess.size"] = asked.rung.size
        return found

    def _searched(self, way: str) -> dict[str, tuple[float, float] | list[Any]]:
        """Field of a recipe → the range, or the choices, that are searched; the present value lies among them."""
        base = self.bases[way]
        rate = (base.learning_rate / RANGE, min(base.learning_rate * RANGE, 100.0))
        # One image has no spread by which a network could normalise it: its trial would end the search.
        least = min(base.batch_size, 2 * base.accumulate)
        found: dict[str, tuple[float, float] | list[Any]] = {
            "learning_rate": rate,
            "weight_decay": DECAY,
            "label_smoothing": SMOOTHING,
            "batch_size": sorted({max(least, base.batch_size // 2), base.batch_size, 2 * base.batch_size}),
            "ema": sorted({*AVERAGES, base.ema}),
        }
        if not base.zoom:
            found["crop"] = CROP
        elif "crop" in self.unused:
            found["zoom"] = ZOOM
        if way == FINETUNE:
            found |= {"first_layer_rate": FIRST, "freeze_statistics": [False, True]}
        return {name: among for name, among in found.items() if name not in self.unused}


def space(params: Params, ways: Sequence[str], rungs: Sequence[Rung]) -> Space:
    """What is searched from these values."""
    recipes = {FINETUNE: params.finetune.recipe, SCRATCH: params.finetune.scratch}
    unused = of(params.task_of("target")).unused
    return Space(bases={way: recipes[way] for way in ways}, rungs=tuple(rungs), unused=unused)


def rounded(value: float) -> float:
    """The value with as many digits as mean something."""
    return float(f"{value:.{DIGITS}g}")


def settings(values: Mapping[str, Any]) -> str:
    """The words of the command line that set these values for one run."""
    return " ".join(f"--set {key}={json.dumps(value)}" for key, value in values.items())
