"""One trial of a search for better values."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from prefect import task
from prefect.cache_policies import NO_CACHE

from sightline.tune import trial as trials
from tasks.context import Context, recorded
from tasks.versioning import version_of, work_folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.data.reference import DataRef
    from sightline.recipe import Chance
    from sightline.train.checkpoint import Epoch
    from sightline.train.result import Trained
    from sightline.tune.search import Attempt
    from sightline.tune.space import Asked


@task(name="trial", task_run_name="trial {number}", version=version_of(__name__), cache_policy=NO_CACHE)
def trial(
    context: Context,
    data: DataRef,
    number: int,
    origin: int,
    asked: Asked,
    head: Trained | None,
    chance: Chance,
    hopeless: Callable[[Epoch], bool],
) -> Attempt:
    """Train what is asked for; a trial that repeats the lost one of number `origin` goes on from its checkpoint."""
    folder = work_folder(context.paths.root, trial.fn, data=data, origin=origin, asked=asked, head=head, chance=chance)
    values = {"way": asked.way, "network": asked.rung.network, "size": asked.rung.size, **asdict(asked.recipe)}
    with recorded(context, f"trial {number}", data, {**asdict(chance), **values}) as recorder:
        done = trials.run(
            context.paths,
            folder,
            asked,
            head,
            chance,
            recorder.measured,
            hopeless,
            recorder.run,
            context.workers,
        )
        figures = {} if done.value is None else {"objective": done.value}
        recorder.tracker.log(recorder.run, figures)
        recorder.tracker.tag(recorder.run, {"trial": "given up" if done.value is None else "complete"})
        return done
