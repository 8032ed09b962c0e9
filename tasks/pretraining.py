"""The backbone, from the source data set or from given weights."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from prefect import task

from sightline.train import stages
from tasks.context import Context, recorded
from tasks.versioning import InputsAndCode, version_of, work_folder

if TYPE_CHECKING:
    from sightline.data.reference import DataRef
    from sightline.params import Pretrain
    from sightline.recipe import Chance
    from sightline.train.result import Trained


@task(
    name="pretrain",
    task_run_name="pretrain {params.network} on {data.use}",
    version=version_of(__name__),
    cache_policy=InputsAndCode(),
    persist_result=True,
)
def pretrain(context: Context, data: DataRef, params: Pretrain, chance: Chance) -> Trained:
    """Train the backbone; goes on from the checkpoint of a killed run with the same inputs."""
    folder = work_folder(context.paths.root, pretrain.fn, data=data, params=params, chance=chance)
    with recorded(context, "pretrain", data, {**asdict(chance), **asdict(params)}) as recorder:
        shards = context.paths.shards(data.use)
        tell = (recorder.on_epoch, recorder.on_progress)
        place = stages.Place(
            context.paths.root, folder, shards, *tell, workers=context.workers, deterministic=chance.deterministic
        )
        return replace(stages.backbone(place, data.use, params, chance.seed), run=recorder.run)
