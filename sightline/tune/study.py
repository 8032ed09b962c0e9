"""The study of a project in Optuna's storage: a SQLite file in the project, or a database that several copies share.

A study is about one version of the data and the present values: its name says which, so that it goes on after a kill
and is joined by every copy of the project that asks for the same. Within one, searches wait for each other: trials read
its shards and params.yaml, which whoever has the turn may change. What its first process measured stands in it.

How long a trial is belongs to what a study is about: a larger budget that allows trials of twice the length, or more,
opens another one, with the next number behind its name, and that one counts from then on.
"""

from __future__ import annotations

import math
import os
import time
import warnings
from dataclasses import asdict, dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from sightline.digests import digest_of
from sightline.errors import ProjectError
from sightline.processes import has_died, identity
from sightline.tracking import databases
from sightline.train.chain import FINETUNE, SCRATCH
from sightline.tune import length
from sightline.tune.length import Length
from sightline.tune.objective import Objective
from sightline.tune.space import Rung, Space, space

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from optuna import Study, Trial
    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

    from sightline.data.reference import DataRef
    from sightline.params import Params
    from sightline.project import Paths
    from sightline.train.result import Trained

ADDRESS = "SIGHTLINE_TUNE_URI"
"""Variable that names a database in place of the project's file."""
PLAN, BUDGET, PROCESS, FIRST, LOST = "plan", "budget", "process", "first", "lost"
WAIT = 60
"""Seconds that a process waits for another one to finish writing, or measuring."""
BEAT, SILENCE = 60, 300
"""Seconds between two signs of life of a trial, and after how many without one it counts as lost, on any machine."""
LONGER = 2.0
"""Times as long as those of a study trials must be for another one: of much shorter trials another recipe is best."""
RETRIES = 3
"""Times that a lost trial is tried again."""
FIRST_LOOK, WIDENING = 30, 3
"""Per cent of a trial's steps at which it is first compared with others, of which the best of so many go on."""
AT_RANDOM = 10
"""Trials before the model of what is good counts."""


@dataclass(frozen=True)
class Search:
    """A study, and what is searched in it."""

    study: Study
    space: Space
    length: Length
    objective: Objective
    told: str = ""
    """Why the study is a new one, although there was one about these data and values."""

    def claim(self, trial: Trial) -> int:
        """Say that this process works on a trial; its number, or that of the lost one that it repeats."""
        trial.set_user_attr(PROCESS, identity())
        return int(trial.user_attrs.get(FIRST, trial.number))


def address_of(runs: Path) -> str:
    """The address of the storage."""
    return os.environ.get(ADDRESS) or f"{databases.SCHEME}{runs / 'tune' / 'study.db'}"


def open_search(
    paths: Paths,
    params: Params,
    given: Mapping[str, Any],
    data: DataRef,
    head: Trained | None,
    seconds: float,
    spent: float,
) -> Search:
    """The study about these data, values and backbone, with lost trials of this machine put back into its queue.

    Whoever is the first measures, for a search of so many `seconds` after those that were `spent` on its preparation;
    what is `given` for this run is not searched. Raises ConfigError where no time is left for the first trial,
    ProjectError where the storage does not answer, RegistryError where its file is damaged.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # Signs of life and conditional values work; their interfaces may change.
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    address, folder = address_of(paths.runs), paths.runs / "tune"
    ways = (SCRATCH,) if head is None else (FINETUNE, SCRATCH)
    objective = Objective.of_task(params.task_of("target"))
    name = f"{params.project.name} {_about(params, given, data, head)}"

    def searched(rungs: list[Rung]) -> Space:
        return space(params, ways, rungs)

    def measured() -> tuple[Length, list[Rung]]:
        among = length.rungs(params, given, has_backbone=head is not None)
        return length.measure(paths.runs, params, seconds, dict(data.counts)["train"], among)

    folder.mkdir(parents=True, exist_ok=True)
    databases.check(address, "the store of studies", None if os.environ.get(ADDRESS) else "studies")
    try:
        with FileLock(folder / "study.lock"):
            storage, told = _storage(address), ""
            study = _study(storage, name, objective)
            if not _complete(study):
                # Before a plan stands whose trials are as short as the time that is left.
                length.check(paths.runs, params, seconds, spent, dict(data.counts)["train"])
            plan = _planned(study) or _plan(study, searched, seconds + spent, measured)
            longer = Length(**plan["length"]).given(params.finetune.scratch, seconds)
            if _is_larger(seconds + spent, plan) and longer.share >= LONGER * plan["length"]["share"]:
                best = [study.best_trial.params] if _complete(study) else []
                told = _told(plan["length"]["share"], longer.share, best)
                study, known = _study(storage, name, objective, more=1), (longer, _rungs(plan))
                plan = _plan(study, searched, seconds + spent, lambda: known, best)
            _revive(study)
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError, ModuleNotFoundError) as error:
        raise ProjectError(
            f"the store of studies at {address} does not answer ({str(error).splitlines()[0]}); {ADDRESS} names "
            "another database, without it the project's own file is taken"
        ) from None
    study.sampler = optuna.samplers.TPESampler(n_startup_trials=AT_RANDOM, multivariate=True, group=True)
    study.pruner = optuna.pruners.HyperbandPruner(FIRST_LOOK, 100, WIDENING)
    return Search(study, searched(_rungs(plan)), Length(**plan["length"]), objective, told)


def _about(params: Params, given: Mapping[str, Any], data: DataRef, head: Trained | None) -> str:
    """Digest of what a study is about: whatever of it changes asks for another one."""
    values = [asdict(part) for part in (params.project, params.preprocess, params.pretrain, params.finetune)]
    fixed = sorted(key for key in given if key in length.FIXED)
    return digest_of([data.version, values, fixed, head.weights if head else None])[:8]


def _storage(address: str) -> RDBStorage:
    import optuna

    arguments: dict[str, Any] = {"connect_args": {"timeout": WAIT}} if address.startswith(databases.SCHEME) else {}
    return optuna.storages.RDBStorage(
        address,
        engine_kwargs=arguments,
        heartbeat_interval=BEAT,
        grace_period=SILENCE,
        heartbeat_stale_trial_callback=_again,
    )


def _study(storage: RDBStorage, name: str, objective: Objective, more: int = 0) -> Study:
    """The last of the studies of that name and the numbers behind it, or one that is so many `more` further on."""
    import optuna

    names = optuna.get_all_study_names(storage)
    last = next(number for number in count(1) if f"{name} {number + 1}" not in names) + more
    numbered = name if last == 1 else f"{name} {last}"
    return optuna.create_study(storage=storage, study_name=numbered, load_if_exists=True, direction=objective.direction)


def _complete(study: Study) -> list[FrozenTrial]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _planned(study: Study) -> dict[str, Any] | None:
    """The plan that stands in the study; where another machine made it a moment ago, once that has measured."""
    age = 0.0
    while PLAN not in study.user_attrs and study.get_trials(deepcopy=False) and age < WAIT:
        time.sleep(1)
        age += 1
    found: dict[str, Any] | None = study.user_attrs.get(PLAN)
    return found


def _plan(
    study: Study,
    searched: Callable[[list[Rung]], Space],
    budget: float,
    measure: Callable[[], tuple[Length, list[Rung]]],
    best: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Measure, put what is tried first into the queue, and write the plan down last: its presence says it is whole.

    The `best` trials of another study come before the present recipes.
    """
    length, rungs = measure()
    for start in (*best, *searched(rungs).starts()):
        study.enqueue_trial(dict(start), skip_if_exists=True)
    plan = {
        "length": asdict(length),
        "rungs": [asdict(rung) for rung in rungs],
        BUDGET: budget if math.isfinite(budget) else None,
    }
    study.set_user_attr(PLAN, plan)
    return plan


def _rungs(plan: Mapping[str, Any]) -> list[Rung]:
    return [Rung(**one) for one in plan["rungs"]]


def _is_larger(budget: float, plan: Mapping[str, Any]) -> bool:
    """Whether it is larger than the one that the plan was made for: the same one, given again, has more time left."""
    # Plans of earlier releases hold none; null is a search without a limit.
    known = plan.get(BUDGET, 0.0)
    return known is not None and budget > (1 + length.SAME) * known


def _told(before: float, now: float, best: Sequence[Mapping[str, Any]]) -> str:
    first = ", with the best recipe of that one first" if best else ""
    return (
        f"this time allows trials of {100 * now:.2g} % of a whole training, those of the study so far have "
        f"{100 * before:.2g} %: a new study begins{first}"
    )


def _revive(study: Study) -> None:
    """Put the trials whose process was killed on this machine back into the queue; others are missed by their beat."""
    from optuna.trial import TrialState

    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if has_died(trial.user_attrs.get(PROCESS, "")):
            study.tell(trial.number, state=TrialState.FAIL)
            _again(study, trial)


def _again(study: Study, trial: FrozenTrial) -> None:
    """Try a lost trial again with the same values: its training goes on from the last checkpoint."""
    from optuna.trial import TrialState, create_trial

    lost = trial.user_attrs.get(LOST, 0) + 1
    if lost > RETRIES:
        return
    study.add_trial(
        create_trial(
            state=TrialState.WAITING,
            params=trial.params,
            distributions=trial.distributions,
            user_attrs={LOST: lost, FIRST: trial.user_attrs.get(FIRST, trial.number)},
            system_attrs=trial.system_attrs,
        )
    )
