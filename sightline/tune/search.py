"""Trials one after the other, until the time is over or there are enough, and which was the best."""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from sightline.errors import ModelError
from sightline.tune.space import Asked, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from optuna import Trial
    from optuna.trial import FrozenTrial

    from sightline.train.checkpoint import Epoch
    from sightline.tune.objective import Objective
    from sightline.tune.study import Search

SHOWN = 4
"""Digits of an objective."""
REPEATED = 3
"""Best trials that are trained once more from another seed: of many the best one is good by luck, too."""
AGAIN = "again"
"""Attribute of a study, followed by the number of the trial: its objective from the other seed."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What came of a trial that was trained."""

    value: float | None
    """The objective on the validation images; None where it was given up."""
    score: float
    run: str
    """MLflow run."""


class Trainer(Protocol):
    """Whoever trains what a trial asks for."""

    def __call__(
        self, number: int, origin: int, asked: Asked, hopeless: Callable[[Epoch], bool], again: int = 0
    ) -> Attempt:
        """Train, and give up once `hopeless` says so, from the seed that is `again` beside the project's own.

        `origin` is the lost trial that this one repeats, else its number.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Found:
    """The best of a study."""

    number: int
    value: float
    """Its objective, the mean of two seeds where it was trained from both."""
    before: float | None
    """That of the present recipe; None where it came to no end."""
    asked: Asked
    """What was trained, for as long as a trial is."""
    values: dict[str, Any]
    """The keys and values of `params.yaml` that differ from the present ones, for a whole training."""
    trials: int
    pruned: int
    objective: Objective

    @property
    def is_present(self) -> bool:
        """Whether nothing better than the present values was found."""
        return not self.values

    @property
    def sentence(self) -> str:
        """What was found, for people."""
        looked = f"{self.trials} trials, {self.pruned} of them given up early"
        before = "" if self.before is None else f", the present recipe {self.before:.{SHOWN}f}"
        if self.is_present:
            name = self.objective.name
            return f"{looked}: none is better than the present recipe (validation {name} {self.value:.{SHOWN}f})"
        best = f"{self.objective.extreme} validation {self.objective.name}"
        return (
            f"{looked}: trial {self.number} has the {best}, {self.value:.{SHOWN}f}{before}: "
            f"{self.asked.way}, {self.asked.rung}"
        )

    @property
    def words(self) -> str:
        """The words that `sightline run` takes to train so."""
        return settings(self.values)


def search(looking: Search, train: Trainer, runs: Path, workers: int, until: float, trials: int | None) -> None:
    """Try recipes until the study has so many trials, or until `repeat` is just in time for `until` (`time.time()`)."""

    def one(trial: Trial) -> float:
        from optuna import TrialPruned

        origin, asked = looking.claim(trial), looking.space.ask(trial)
        recipe = looking.length.trial(runs, looking.space, asked, workers)
        began = time.time()

        def hopeless(epoch: Epoch) -> bool:
            value = looking.objective.value(epoch)
            if epoch.step >= recipe.steps or not math.isfinite(value):
                return epoch.step < recipe.steps
            trial.report(value, round(100 * epoch.step / recipe.steps))
            return trial.should_prune()

        done = train(trial.number, origin, replace(asked, recipe=recipe), hopeless)
        for name, value in (("score", done.score), ("seconds", time.time() - began), ("run", done.run)):
            trial.set_user_attr(name, value)
        if done.value is None or not math.isfinite(done.value):
            raise TrialPruned
        return done.value

    while not _enough(looking, trials) and time.time() + (1 + REPEATED) * _expected(looking) < until:
        looking.study.optimize(one, n_trials=1)


def repeat(looking: Search, train: Trainer, runs: Path, workers: int, until: float) -> None:
    """Train the best trials, and the present recipes, once more from another seed, as long as there is time."""
    ranked = sorted(_whole(looking), key=lambda trial: looking.objective.place(_value(trial)))
    own = [trial for trial in ranked if looking.space.has(asked_by(looking, trial))]
    # The present recipe first: without its figure those of the others say nothing.
    for trial in {trial.number: trial for trial in [*own[:1], *ranked[:REPEATED]]}.values():
        if f"{AGAIN} {trial.number}" in looking.study.user_attrs or time.time() + _expected(looking) > until:
            continue
        asked = asked_by(looking, trial)
        asked = replace(asked, recipe=looking.length.trial(runs, looking.space, asked, workers))
        done = train(trial.number, trial.number, asked, lambda _: False, 1)
        looking.study.set_user_attr(f"{AGAIN} {trial.number}", done.value)


def found(looking: Search, runs: Path, workers: int, given: Mapping[str, Any] | None = None) -> Found:
    """The best trial so far; of those that were trained from two seeds, where there are any.

    What was `given` for the search belongs to what it found. Raises ModelError where none has come to its end.
    """
    ended, whole = finished(looking), _whole(looking)
    if not whole:
        raise ModelError("no trial came to its end: give more time, such as --budget 30m, and they go on")
    again = {trial.number: looking.study.user_attrs.get(f"{AGAIN} {trial.number}") for trial in whole}
    twice = {number: value for number, value in again.items() if value is not None}
    values = {trial.number: statistics.mean([_value(trial), twice.get(trial.number, _value(trial))]) for trial in whole}
    compared = [one for one in whole if one.number in twice or not twice]
    best = min(compared, key=lambda one: looking.objective.place(values[one.number]))
    asked = asked_by(looking, best)
    own = [values[trial.number] for trial in whole if looking.space.has(asked_by(looking, trial))]
    length = replace(asked, recipe=looking.length.whole(runs, looking.space, asked, workers))
    return Found(
        number=best.number,
        value=values[best.number],
        before=looking.objective.best(own),
        asked=asked,
        values={} if looking.space.has(asked) else {**(given or {}), **looking.space.values(length)},
        trials=len(ended),
        pruned=len(ended) - len(whole),
        objective=looking.objective,
    )


def _whole(looking: Search) -> list[FrozenTrial]:
    return [trial for trial in finished(looking) if is_complete(trial)]


def _value(trial: FrozenTrial) -> float:
    assert trial.value is not None  # noqa: S101 — it is complete
    return float(trial.value)


def asked_by(looking: Search, trial: FrozenTrial) -> Asked:
    """What a trial that is over asked for."""
    from optuna.trial import FixedTrial

    return looking.space.ask(FixedTrial(trial.params))


def finished(looking: Search) -> list[FrozenTrial]:
    """Trials that were trained to their end, or given up."""
    from optuna.trial import TrialState

    return looking.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def is_complete(trial: FrozenTrial) -> bool:
    """Whether it was trained to its end."""
    return trial.state.name == "COMPLETE"


def _enough(looking: Search, trials: int | None) -> bool:
    return trials is not None and len(finished(looking)) >= trials


def _expected(looking: Search) -> float:
    """Seconds that a trial takes which is not given up; 0 before there was one."""
    took = [trial.user_attrs["seconds"] for trial in finished(looking) if is_complete(trial)]
    return statistics.median(took) if took else 0.0
