"""A trial: one training by the production stages, on the images of its size, judged on the validation images."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

from filelock import FileLock

from sightline.data import shards
from sightline.train import stages
from sightline.train.chain import FINETUNE
from sightline.tune.objective import Objective
from sightline.tune.search import Attempt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sightline.project import Paths
    from sightline.recipe import Chance
    from sightline.train.checkpoint import Epoch
    from sightline.train.result import Trained
    from sightline.tune.space import Asked

SEEN = ("train", "val")
"""Roles whose images a search sees."""


class GivenUp(Exception):
    """A trial that others make hopeless: it ends in the middle of its training."""


def run(
    paths: Paths,
    folder: Path,
    asked: Asked,
    head: Trained | None,
    chance: Chance,
    on_epoch: Callable[[Epoch], None],
    hopeless: Callable[[Epoch], bool],
    mlflow_run: str,
    workers: int,
) -> Attempt:
    """Train what is asked in `folder`, which goes once it is known what came of it; fine-tuning begins with `head`."""
    last: list[Epoch] = []

    def told(epoch: Epoch) -> None:
        last.append(epoch)
        on_epoch(epoch)
        if hopeless(epoch):
            raise GivenUp

    place = stages.Place(
        paths.root,
        folder,
        images_of(paths, asked.rung.size),
        told,
        workers=workers,
        deterministic=chance.deterministic,
    )
    try:
        if asked.way == FINETUNE:
            assert head is not None  # noqa: S101 — nothing is fine-tuned without a backbone
            done = stages.finetune(place, head, asked.recipe, chance.seed)
        else:
            done = stages.scratch(place, asked.rung.network, asked.recipe, chance.seed)
    except GivenUp:
        attempt = Attempt(value=None, score=last[-1].val_accuracy, run=mlflow_run)
    else:
        attempt = Attempt(value=Objective.of_task(done.task).value(done), score=done.val_accuracy, run=mlflow_run)
    shutil.rmtree(folder)
    return attempt


def images_of(paths: Paths, size: int) -> Path:
    """The shards of the target at another size than the project's too: training and validation images alone."""
    params = paths.params.preprocess
    if size == params.size:
        return paths.shards("target")
    folder = paths.runs / "tune" / f"images-{size}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        shards.write(paths, "target", replace(params, size=size), folder, folder.with_suffix(".decoded"), SEEN)
    return folder
