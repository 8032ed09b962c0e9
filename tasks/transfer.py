"""A linear head on the frozen backbone."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from prefect import task

from sightline.train import stages
from tasks.context import Context, recorded
from tasks.versioning import InputsAndCode, version_of, work_folder

if TYPE_CHECKING:
    from sightline.data.reference import DataRef
    from sightline.params import Transfer
    from sightline.recipe import Chance, Recipe
    from sightline.train.result import Trained


@task(
    name="transfer",
    task_run_name="transfer {backbone.network} to {data.use}",
    version=version_of(__name__),
    cache_policy=InputsAndCode(),
    persist_result=True,
)
def transfer(
    context: Context, data: DataRef, backbone: Trained, params: Transfer, augmentation: Recipe, chance: Chance
) -> Trained:
    """Fit the head; the backbone's features of the data set are computed once.

    `augmentation`: what of the recipe of fine-tuning changes images; its other values do not fit the head again.
    """
    kept = {"augmentation": augmentation, "chance": chance}
    folder = work_folder(context.paths.root, transfer.fn, data=data, backbone=backbone, params=params, **kept)
    with recorded(context, "transfer", data, {**asdict(chance), **asdict(params)}) as recorder:
        shards = context.paths.shards(data.use)
        tell = (recorder.on_epoch, recorder.on_progress)
        place = stages.Place(
            context.paths.root,
            folder,
            shards,
            *tell,
            deterministic=chance.deterministic,
            code=version_of(__name__),
        )
        trained = stages.transfer(place, backbone, params, augmentation, chance.seed)
        recorder.tracker.log(recorder.run, {"val_accuracy": trained.val_accuracy, "val_loss": trained.val_loss})
        return replace(trained, run=recorder.run)
