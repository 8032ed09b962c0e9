"""Which network and image size a time budget is for, by the measured speed of the ladder's rungs."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from operator import attrgetter
from time import perf_counter
from typing import TYPE_CHECKING, Any

from sightline import config
from sightline.budget.ladder import LADDER, PASSES, SIZES, STEP, STEPS
from sightline.budget.plan import SHORTEST, recorded, shares
from sightline.errors import ModelError
from sightline.heads.labels import CLASSIFY
from sightline.models.shipped import is_shipped
from sightline.train.speeds import remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping
    from pathlib import Path

    from sightline.budget.overhead import Overhead
    from sightline.params import Params
    from sightline.recipe import Recipe


def choose(
    runs: Path,
    seconds: float,
    params: Params,
    given: Mapping[str, Any],
    images: int,
    beside: Overhead,
    answering: Callable[[str, int], float],
) -> dict[str, Any]:
    """Network, image size and rate for a budget as values of `params.yaml`; what `given` sets already is kept.

    `images` is about the number of training images of the target, `beside` what the run takes beside training, and
    `answering` the seconds of its evaluation's answers by a network at an image size. Raises ModelError where a network
    that is given takes none of the sizes there are.
    """
    given = {config.full(key): value for key, value in given.items()}
    fixed: dict[str, Any] = {key: given[key] for key in ("pretrain.network", "preprocess.size") if key in given}
    if params.pretrain.init is not None and is_shipped(params.pretrain.init):
        # It goes along where it fits: what is trained for is the network from scratch.
        params = replace(params, pretrain=replace(params.pretrain, init=None))
    if params.pretrain.init is not None:
        fixed["pretrain.network"] = params.pretrain.network
    rungs = _rungs(params, fixed)

    # A high rate asks for shortened gradients: whoever sets one of the two sets both.
    owned = {recipe for recipe, _, field in (name.rpartition(".") for name in given) if field in STEP}

    def decide() -> dict[str, Any]:
        began, rate, higher = perf_counter(), math.inf, iter(rungs)
        best = next((rung for rung, _ in higher if _is_possible(rung)), None)
        if best is None:
            raise ModelError(_none_possible([rung for rung, _ in rungs]))

        def holds(passes: int, rate: float, answers: float) -> bool:
            spent = perf_counter() - began
            left = (seconds - spent - beside.head - beside.tail - answers) * shares(params)["scratch"]
            return left * rate >= passes * images

        for rung, passes in higher:
            # It is no faster than the one before, which is known already.
            if not holds(passes, rate, 0.0):
                break
            if not _is_possible(rung):
                continue
            network, size, workers = rung["pretrain.network"], rung["preprocess.size"], params.train.workers
            recipe = _recipe_of(rung, params.finetune.scratch, owned)
            rate = remembered(runs, network, size, recipe, workers, SHORTEST).rate
            # How fast it answers is only measured where it could be trained.
            if not (holds(passes, rate, 0.0) and holds(passes, rate, answering(network, size))):
                break
            best = rung
        return best

    parts = (params.preprocess, params.pretrain, params.finetune, params.train)
    key = [seconds, given, *(asdict(part) for part in parts), images]
    best = recorded(runs, key, decide) if len(rungs) > 1 else rungs[0][0] if rungs else {}
    return {name: value for name, value in best.items() if name not in given and name.rpartition(".")[0] not in owned}


def replaced(params: Params, chosen: Mapping[str, Any]) -> str:
    """Which values of `params.yaml` give way to those `chosen`, and what keeps them; empty where all are the same."""
    before = {key: attrgetter(key)(params) for key in chosen}
    other = [key for key, value in chosen.items() if before[key] != value]
    if not other:
        return ""
    listed = ", ".join(f"{key} = {chosen[key]} instead of {before[key]}" for key in other)
    words = " ".join(f"--set {key}={before[key]}" for key in other)
    return f"{listed}; to keep a value of params.yaml give it as well: {words}"


def _rungs(params: Params, fixed: Mapping[str, Any]) -> list[tuple[dict[str, Any], int]]:
    """Those that hold what is `fixed`, from below, as values of `params.yaml`; each with the passes that it needs."""
    first, _ = next(iter(LADDER))
    network, sizes = fixed.get("pretrain.network", first), sorted({*SIZES, params.preprocess.size})
    ladder = LADDER if network == first else dict.fromkeys(((network, size) for size in sizes), PASSES)
    values = [(_values(rung), passes) for rung, passes in ladder.items()]
    return [rung for rung in values if all(rung[0][key] == value for key, value in fixed.items())]


def _is_possible(rung: Mapping[str, Any]) -> bool:
    """Whether there is such a network for images of that size; those of the ladder are known to be."""
    from sightline.models.networks import build

    network, size = rung["pretrain.network"], rung["preprocess.size"]
    if (network, size) in LADDER:
        return True
    try:
        build(CLASSIFY, network, 2, size)
    except ModelError:
        return False
    return True


def _none_possible(rungs: list[dict[str, Any]]) -> str:
    """What to do. Raises ModelError where there is no such network at all."""
    from sightline.models.zoo import check

    network, sizes = rungs[0]["pretrain.network"], ", ".join(str(rung["preprocess.size"]) for rung in rungs)
    check(network, None)
    return (
        f"pretrain.network = {network} takes none of the image sizes that a budget chooses from, {sizes} px: give one "
        "that it takes, such as --set preprocess.size=224"
    )


def _values(rung: tuple[str, int]) -> dict[str, Any]:
    network, size = rung
    values: dict[str, Any] = {"pretrain.network": network, "preprocess.size": size}
    for recipe, step in STEPS.get(network, {}).items():
        values |= {f"{recipe}.{field}": value for field, value in zip(STEP, step, strict=True)}
    return values


def _recipe_of(rung: dict[str, Any], recipe: Recipe, owned: Container[str]) -> Recipe:
    """From scratch as the rung will train: what is measured now is not measured again then."""
    name = "finetune.scratch"
    step = {field: rung[f"{name}.{field}"] for field in STEP if f"{name}.{field}" in rung and name not in owned}
    return replace(recipe, **step)
