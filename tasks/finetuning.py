"""Target training: from the fitted head and its backbone, and from scratch to compare with."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from prefect import task

from sightline.train import stages
from tasks.context import Context, recorded
from tasks.versioning import InputsAndCode, version_of, work_folder

if TYPE_CHECKING:
    from sightline.data.reference import DataRef
    from sightline.recipe import Chance, Recipe
    from sightline.train.result import Trained


@task(
    name="finetune",
    task_run_name="finetune {head.network} on {data.use}",
    version=version_of(__name__),
    cache_policy=InputsAndCode(),
    persist_result=True,
)
def finetune(context: Context, data: DataRef, head: Trained, recipe: Recipe, chance: Chance) -> Trained:
    """Train backbone and head together (LP-FT); goes on from the checkpoint of a killed run with the same inputs."""
    folder = work_folder(context.paths.root, finetune.fn, data=data, head=head, recipe=recipe, chance=chance)
    with recorded(context, "finetune", data, {**asdict(chance), "network": head.network, **asdict(recipe)}) as recorder:
        shards = context.paths.shards(data.use)
        tell = (recorder.on_epoch, recorder.on_progress)
        place = stages.Place(
            context.paths.root, folder, shards, *tell, workers=context.workers, deterministic=chance.deterministic
        )
        return replace(stages.finetune(place, head, recipe, chance.seed), run=recorder.run)


@task(
    name="scratch",
    task_run_name="train {network} from scratch on {data.use}",
    version=version_of(__name__),
    cache_policy=InputsAndCode(),
    persist_result=True,
)
def scratch(context: Context, data: DataRef, network: str, recipe: Recipe, chance: Chance) -> Trained:
    """Train from random weights; goes on from the checkpoint of a killed run with the same inputs."""
    folder = work_folder(
        context.paths.root,
        scratch.fn,
        data=data,
        network=network,
        recipe=recipe,
        chance=chance,
    )
    with recorded(context, "scratch", data, {**asdict(chance), "network": network, **asdict(recipe)}) as recorder:
        shards = context.paths.shards(data.use)
        tell = (recorder.on_epoch, recorder.on_progress)
        place = stages.Place(
            context.paths.root, folder, shards, *tell, workers=context.workers, deterministic=chance.deterministic
        )
        return replace(stages.scratch(place, network, recipe, chance.seed), run=recorder.run)
