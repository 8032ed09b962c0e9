"""The registry: versions of backbone and classifier, and the gate before the champion."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from prefect import task
from prefect.cache_policies import NO_CACHE

from sightline.evaluate.registered import log_version
from sightline.registry import promotion
from sightline.tracking.runs import connect
from tasks.versioning import version_of

if TYPE_CHECKING:
    from sightline.evaluate.evaluation import Evaluated
    from sightline.params import Gate
    from sightline.registry.candidate import Request
    from sightline.registry.outcome import Outcome
    from sightline.registry.promotion import Registered
    from sightline.tracking.runs import Tracker
    from sightline.train.result import Trained
    from tasks.context import Context


@task(name="register-backbone", version=version_of(__name__), cache_policy=NO_CACHE)
def register_backbone(context: Context, backbone: Trained, tags: dict[str, str]) -> Registered:
    """Register the backbone, unless a version with these weights is there."""
    tracker = connect(context.paths)
    run = _run(tracker, context, backbone)
    return promotion.register_backbone(tracker, run, backbone, {**dict(context.tags), **tags})


@task(name="register", version=version_of(__name__), cache_policy=NO_CACHE)
def register(context: Context, best: Trained, evaluated: Evaluated, tags: dict[str, str]) -> Registered:
    """Register the classifier with the figures of its evaluation, unless a version with these weights is there."""
    tracker = connect(context.paths)
    run = _run(tracker, context, best)
    done = promotion.register(tracker, run, best, evaluated, {**dict(context.tags), **tags})
    if done.is_new:
        log_version(tracker, done.version, evaluated.figures(context.paths.root))
    return done


@task(
    name="promote",
    task_run_name="promote version {request.version}",
    version=version_of(__name__),
    cache_policy=NO_CACHE,
)
def promote(context: Context, request: Request, limits: Gate, release: str) -> Outcome:
    """Put a version through the gate."""
    asking = replace(request, flow_run=dict(context.tags).get("prefect.flow_run", ""))
    return promotion.promote(connect(context.paths), asking, limits, release)


@task(name="approve", version=version_of(__name__), cache_policy=NO_CACHE)
def approve(context: Context, version: str, by: str, reason: str) -> Outcome:
    """Make a version the champion that waited, and that a person has approved."""
    return promotion.approve(connect(context.paths), version, by, reason)


def _run(tracker: Tracker, context: Context, trained: Trained) -> str:
    """The run that trained it; this flow's own where the store, which is another one than then, does not hold it."""
    return trained.run if tracker.run(trained.run) else context.run
