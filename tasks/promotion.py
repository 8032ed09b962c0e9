"""The registry: versions of backbone and classifier, and the gate before the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import task
from prefect.cache_policies import NO_CACHE

from sightline import promotion
from sightline.tracking import connect
from tasks.versioning import version_of

if TYPE_CHECKING:
    from sightline.config import Gate
    from sightline.evaluate.evaluation import Evaluated
    from sightline.promotion import Outcome, Registered
    from sightline.train.result import Trained
    from tasks.context import Context


@task(name="register-backbone", version=version_of(__name__), cache_policy=NO_CACHE)
def register_backbone(backbone: Trained, tags: dict[str, str], *, context: Context) -> Registered:
    """Register the backbone, unless a version with these weights is there."""
    return promotion.register_backbone(connect(context.paths), backbone.run, backbone, {**dict(context.tags), **tags})


@task(name="register", version=version_of(__name__), cache_policy=NO_CACHE)
def register(best: Trained, evaluated: Evaluated, tags: dict[str, str], *, context: Context) -> Registered:
    """Package and register the classifier, unless a version with these weights is there."""
    return promotion.register(connect(context.paths), best.run, best, evaluated, {**dict(context.tags), **tags})


@task(name="promote", task_run_name="promote version {version}", version=version_of(__name__), cache_policy=NO_CACHE)
def promote(version: str, limits: Gate, release: str, reason: str, *, context: Context) -> Outcome:
    """Put a version through the gate."""
    return promotion.promote(connect(context.paths), version, limits, release, reason)
