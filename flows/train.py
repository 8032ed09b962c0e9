"""The training flow: from raw images to a promoted champion."""

from __future__ import annotations

import getpass
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import flow

from flows.approval import settle
from flows.budget import Clock
from flows.publish import Summary, publish
from flows.start import begin
from sightline.data.reference import DataRef, describe
from sightline.lineage import origin
from sightline.registry.backbones import fetched
from sightline.registry.candidate import Request
from sightline.tracking.versions import CHAMPION
from sightline.train.stages import choose
from tasks.evaluation import evaluate
from tasks.finetuning import finetune, scratch
from tasks.ingestion import ingest
from tasks.journal import Journal, ended
from tasks.labels import find_label_errors
from tasks.preprocessing import preprocess
from tasks.pretraining import pretrain
from tasks.promotion import promote, register, register_backbone
from tasks.transfer import transfer
from tasks.validation import validate
from tasks.versioning import version_of

if TYPE_CHECKING:
    from sightline.params import Params
    from sightline.project import Paths
    from sightline.report.label_errors import LabelErrors
    from sightline.train.result import Trained


@flow(name="train")
def train(
    overrides: dict[str, Any] | None = None,
    budget: float | dict[str, float] | None = None,
    began: float | None = None,
) -> Summary:
    """Validate the data, train what has changed, evaluate it, and promote it where it is better.

    Args:
        overrides: Values for this run by their dotted names, such as {"pretrain.epochs": 1}.
        budget: Seconds in which the run shall end; network, image size and steps follow from it. Or seconds of the
            stages, such as {"pretrain": 1200}: their steps follow from them.
        began: When the budget's clock started, seconds of `time.time()`; by default now.
    """
    clock = Clock(budget, began or time.time())
    context, params = begin("train", clock.sized(overrides))
    journal = Journal(context)
    with ended(context):
        target, source = prepare(journal, params)
        params = clock.resolved(journal, params, target, source)
        backbone, head, tuned = from_backbone(journal, params, target, source)
        label_errors = None if isinstance(budget, float) else label_errors_of(journal, params, target, backbone)
        plain = journal.cached(
            scratch,
            figures,
            data=target,
            network=params.pretrain.network,
            recipe=params.finetune.scratch,
            seed=params.project.seed,
        )
        best, choice = choose(tuned, head, plain)
        others = tuple(one for one in (plain, head, tuned) if one is not None)
        tested = journal.cached(
            evaluate,
            lambda done: f"test accuracy {done.accuracy:.3f}",
            data=target,
            candidate=best,
            others=others,
            params=params.evaluate,
        )
        version = journal.plain(
            register,
            lambda one: f"{one.model} version {one.version}" + ("" if one.is_new else ", known"),
            best=best,
            evaluated=tested,
            tags=lineage_tags(context.paths, target, source, backbone, choice)
            | origin.training_tags(params, overrides, origin.line_of(best, backbone, head, tuned)),
        )
        outcome = journal.plain(
            promote,
            lambda done: done.sentence,
            request=Request(version=version.version, reason="training flow", actor=getpass.getuser()),
            limits=params.gate,
            release=params.evaluate.release,
        )
        trained = (backbone, plain, head, tuned)
        summary = publish(journal, (source, target), trained, best, choice, tested, label_errors, outcome)
        return replace(summary, outcome=settle(outcome, params, Path(summary.report), context))


def prepare(journal: Journal, params: Params) -> tuple[DataRef, DataRef | None]:
    """Ingest, validate and preprocess every data set; nothing is trained before all of them have passed."""
    ready = {}
    for use in sorted(params.datasets):
        manifest = journal.data(ingest, use)
        verdict = journal.data(validate, use)
        shards = journal.data(preprocess, use)
        ready[use] = describe(journal.context.paths, use, manifest.digest, verdict.digest, shards.digest)
    return ready["target"], ready.get("source")


def from_backbone(
    journal: Journal, params: Params, target: DataRef, source: DataRef | None
) -> tuple[Trained | None, Trained | None, Trained | None]:
    """Backbone, head and fine-tuned network; none of them where there is neither a source nor given weights."""
    if source is None and params.pretrain.init is None:
        return None, None, None
    seed, recipe = params.project.seed, params.finetune.recipe
    start = replace(params.pretrain, init=fetched(journal.context.paths, params.pretrain.init))
    backbone = journal.cached(pretrain, figures, data=source or target, params=start, seed=seed)
    journal.plain(
        register_backbone,
        lambda one: f"{one.model} version {one.version}",
        backbone=backbone,
        tags=origin.data_tags(journal.context.paths, source) | {"code": version_of(__name__)},
    )
    head = journal.cached(
        transfer,
        figures,
        data=target,
        backbone=backbone,
        params=params.transfer,
        augmentation=recipe.augmentation,
        seed=seed,
    )
    return backbone, head, journal.cached(finetune, figures, data=target, head=head, recipe=recipe, seed=seed)


def figures(trained: Trained) -> str:
    """A training stage in a few words."""
    if trained.is_adopted:
        return f"{trained.network}, the given weights"
    return f"{trained.network}, validation accuracy {trained.val_accuracy:.3f}"


def label_errors_of(journal: Journal, params: Params, target: DataRef, backbone: Trained | None) -> LabelErrors:
    """Labels that look wrong by the features of the backbone, where it never learned from these labels itself."""
    neutral = None if params.pretrain.init == CHAMPION else backbone
    return journal.cached(
        find_label_errors,
        lambda done: f"{done.labels:,} look wrong: {done.path}" if done.labels else done.sentence,
        data=target,
        backbone=neutral,
    )


def lineage_tags(
    paths: Paths, target: DataRef, source: DataRef | None, backbone: Trained | None, choice: str
) -> dict[str, str]:
    """What a version must remember of where it came from."""
    tags = {"choice": choice, "code": version_of(__name__), **origin.data_tags(paths, target, source)}
    if backbone is not None:
        tags |= {"backbone.weights": backbone.weights, "backbone.network": backbone.network}
    return tags
