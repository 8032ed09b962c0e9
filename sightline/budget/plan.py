"""A time budget: from seconds to a network, an image size and numbers of steps, by this machine's measured speed.

The clock is read once. What it decides is recorded below `runs/plans` under the digest of everything that it was
decided for, so that a rerun takes the steps of the record, whatever the machine is doing then.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sightline import stored
from sightline.budget.ladder import LADDER
from sightline.digests import digest_of
from sightline.errors import ConfigError, Damaged
from sightline.heads.known import of
from sightline.train import chain, loop, probe
from sightline.train.schedule import plan as schedule_of
from sightline.train.speeds import remembered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from sightline.budget.overhead import Answers, Overhead
    from sightline.duration import Budget
    from sightline.params import Params
    from sightline.recipe import Recipe
    from sightline.train.speed import Speed

RESERVE = 0.04
"""Share of the budget that is kept back: the speed of a machine varies."""
SAMPLE, SHORTEST, LONGEST = 0.02, 1.5, 10.0
"""Share of the budget for which the speed of a stage is measured, and its limits in seconds: it varies from second to
second where others work on the machine too."""
PROBE = 8.0
"""Seconds for fitting the head, its images answered, and for putting the backbone into the registry."""
STAGE = 2.0
"""Seconds that a training stage takes beside training."""
FORWARD = 3.0
"""An image that is only answered costs a third of one that is learned from."""
SHARES = {"pretrain": 0.5, "finetune": 0.25, "scratch": 0.25}
"""How the time is divided where all of these stages run."""
FEWEST = 20
"""Steps that a stage makes at least, however short the time is."""
SECTIONS = ("preprocess", "pretrain", "transfer", "finetune", "train")
"""What of `params.yaml` a plan depends on."""
LONG = 100
"""Seconds from which a time is told in minutes."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A budget resolved to steps."""

    seconds: Budget
    rates: dict[str, float]
    """Images a second that each stage was measured to learn from."""
    steps: dict[str, int]
    """Steps of each stage that the budget is for."""
    said: str
    """The plan in a sentence, and what more time would bring."""


def check_stages(params: Params, stages: Iterable[str]) -> None:
    """Raise ConfigError where a budget is for a stage that is not run."""
    for stage in stages:
        if stage not in shares(params):
            trained = ", ".join(shares(params))
            raise ConfigError(f"--budget {stage}=…: this run trains {trained}; give a time for these")


def check(runs: Path, seconds: float, params: Params, beside: Overhead) -> None:
    """Raise ConfigError, with the least time that would do, where a budget cannot hold the chain.

    Where it can, that is recorded: a run that is given again after a kill is not refused, however busy the machine is.
    """

    def decide() -> dict[str, Any]:
        rates = {stage: speed.rate for stage, speed in _speeds(runs, params, list(shares(params)), 0.0).items()}
        around = beside.head + beside.tail + (PROBE if chain.TRANSFER in chain.stages_of(params) else 0.0)
        fewest = _fewest(params, rates)
        least = (around + fewest) / (1 - RESERVE)
        # A guess may be wrong by half.
        if seconds < least * (1.0 if beside.shown else 0.5):
            raise ConfigError(
                f"--budget {_time(seconds)} cannot hold the chain: before and after training it takes about "
                f"{_time(around)} on this machine, and {FEWEST} steps of each training {_time(fewest)} as busy as it "
                f"is now, so give {_time(_up(least))} at least, or no budget"
            )
        return {"least": least}

    recorded(runs, ["holds", seconds, _kept(params)], decide)


def _fewest(params: Params, rates: Mapping[str, float]) -> float:
    """Seconds of the training stages, as short as they can be."""
    recipes = chain.recipes_of(params)
    return sum(STAGE + FEWEST * recipes[stage].batch_size / rate for stage, rate in rates.items())


def _up(seconds: float) -> float:
    """Rounded up to a time that people would write."""
    step = 5 if seconds < LONG else 60
    return step * math.ceil(seconds / step)


def resolve(
    runs: Path,
    seconds: float,
    left: Callable[[], float],
    params: Params,
    counts: Mapping[str, Mapping[str, int]],
    beside: Overhead,
    answers: Answers,
) -> Plan:
    """The steps of each stage, so that the run ends when `left()` seconds have passed.

    `counts` are the images of each role of each data set. `left` is asked at once, after the measurement. Raises
    ConfigError, with the least time that would do, where nothing is left for training.
    """

    def decide() -> Plan:
        speeds = _speeds(runs, params, list(shares(params)), SAMPLE * seconds)
        rate, now = speeds["scratch"].rate / params.train.workers, left()
        after = beside.tail + answers.seconds(counts["target"])
        after += _head(counts["target"]["train"], rate) if chain.TRANSFER in chain.stages_of(params) else 0.0
        ready = now - RESERVE * seconds - after
        fewest = _fewest(params, {stage: speed.rate for stage, speed in speeds.items()})
        if ready < fewest:
            raise ConfigError(
                f"--budget {_time(seconds)} cannot hold the chain: the data were ready after {_time(seconds - now)}, "
                f"{FEWEST} steps of each training take about {_time(fewest)}, and what follows {_time(after)}, so give "
                f"{_time(_up((seconds - now + after + fewest) / (1 - RESERVE)))} at least, or no budget"
            )
        times = {stage: share * ready for stage, share in shares(params).items()}
        steps = _steps(params, times, speeds, counts)
        return _plan(seconds, speeds, steps, _said(seconds, params, steps, counts))

    return _recorded_plan(runs, seconds, params, counts, decide)


def resolve_stages(
    runs: Path, times: dict[str, float], params: Params, counts: Mapping[str, Mapping[str, int]]
) -> Plan:
    """The steps of each stage that `times` names, so that it ends within its seconds.

    Raises ConfigError for a stage that this run does not train.
    """
    check_stages(params, times)

    def decide() -> Plan:
        speeds = _speeds(runs, params, list(times), SAMPLE * sum(times.values()))
        steps = _steps(params, {stage: (1 - RESERVE) * time for stage, time in times.items()}, speeds, counts)
        listed = ", ".join(f"{stage} {number:,} steps in {_time(times[stage])}" for stage, number in steps.items())
        said = f"{params.pretrain.network} at {params.preprocess.size} px: {listed}"
        return _plan(times, speeds, steps, said)

    return _recorded_plan(runs, times, params, counts, decide)


def _speeds(runs: Path, params: Params, stages: Sequence[str], seconds: float) -> dict[str, Speed]:
    network, size, workers = params.pretrain.network, params.preprocess.size, params.train.workers
    length = min(LONGEST, max(SHORTEST, seconds))
    tasks, recipes = {stage: chain.learned(params, stage) for stage in stages}, chain.recipes_of(params)
    return {one: remembered(runs, network, size, recipes[one], workers, length, tasks[one]) for one in stages}


def _steps(
    params: Params,
    times: Mapping[str, float],
    speeds: Mapping[str, Speed],
    counts: Mapping[str, Mapping[str, int]],
) -> dict[str, int]:
    """Steps of each stage in its seconds."""
    steps = {}
    for stage, time in times.items():
        images = counts["source" if stage == "pretrain" and "source" in counts else "target"]
        found = speeds[stage]
        steps[stage] = steps_in(time - STAGE - found.start, found.rate, chain.recipes_of(params)[stage], images)
    return steps


def _plan(seconds: Budget, speeds: Mapping[str, Speed], steps: dict[str, int], said: str) -> Plan:
    return Plan(seconds=seconds, rates={stage: one.rate for stage, one in speeds.items()}, steps=steps, said=said)


def _recorded_plan(
    runs: Path,
    seconds: Budget,
    params: Params,
    counts: Mapping[str, Mapping[str, int]],
    decide: Callable[[], Plan],
) -> Plan:
    return Plan(**recorded(runs, [seconds, _kept(params), counts], lambda: asdict(decide())))


def _kept(params: Params) -> dict[str, Any]:
    return {section: asdict(getattr(params, section)) for section in SECTIONS}


def steps_in(seconds: float, rate: float, recipe: Recipe, counts: Mapping[str, int]) -> int:
    """Steps that fit into `seconds` at `rate` images a second, the validation images scored at each report."""
    schedule = schedule_of(recipe, counts["train"])
    steps = max(FEWEST, int(seconds * rate / schedule.batch))
    reports = min(loop.REPORTS, steps / schedule.steps_per_epoch)
    scoring = reports * counts.get("val", 0) / (FORWARD * rate)
    return max(FEWEST, int((seconds - scoring) * rate / schedule.batch))


def _head(images: int, rate: float) -> float:
    """Seconds of the head: one process answers so many images and their changed copies, then it is fitted."""
    return PROBE + images * (1 + probe.copies(images)) / (FORWARD * rate)


def shares(params: Params) -> dict[str, float]:
    """Share of the training time of each stage that will train."""
    given = {chain.PRETRAIN} if "source" not in params.datasets else set()
    stages = [stage for stage in chain.stages_of(params) if stage in SHARES and stage not in given]
    total = sum(SHARES[stage] for stage in stages)
    return {stage: SHARES[stage] / total for stage in stages}


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < LONG else f"{seconds / 60:.3g} min"


def recorded(runs: Path, key: Any, decide: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was decided for `key` before, else what `decide` says now, written down."""
    digest = digest_of(key)
    path = runs / "plans" / f"{digest[:16]}.json"
    try:
        return stored.kept(path, digest)
    except Damaged:
        stored.keep(path, digest, decide())
    return stored.kept(path, digest)


def _said(seconds: float, params: Params, steps: Mapping[str, int], counts: Mapping[str, Mapping[str, int]]) -> str:
    batch = schedule_of(params.finetune.scratch, counts["target"]["train"]).batch
    passes = steps["scratch"] * batch / counts["target"]["train"]
    rung, ladder = (params.pretrain.network, params.preprocess.size), list(LADDER)
    listed = ", ".join(f"{stage} {number:,} steps" for stage, number in steps.items())
    here = f"{_time(seconds)}: {rung[0]} at {rung[1]} px, {listed}; from scratch that is {passes:.0f} passes"
    # Detectors climb no ladder: small objects need the pixels that a person gave.
    climbs = rung in ladder[:-1] and not of(params.task_of("target")).is_located
    higher = ladder[ladder.index(rung) + 1] if climbs else None
    if higher and passes >= LADDER[higher]:
        return f"{here}. More time would bring {higher[0]} at {higher[1]} px."
    return f"{here}. Twice the time would bring {2 * passes:.0f} passes."
