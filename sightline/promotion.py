"""From a trained candidate to a registered version, and from there to champion: once or not at all."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from sightline.data import manifest
from sightline.data.loader import load
from sightline.errors import RegistryError
from sightline.evaluate.blessing import REQUIRED
from sightline.judging import Judgement, Request, judge
from sightline.ledger import open_ledger
from sightline.models.predictor import Card, write_bundle
from sightline.registry import Outcome, answer_requests, approved, contend, rollback
from sightline.train.loop import predict
from sightline.train.result import WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from sightline.config import Gate
    from sightline.evaluate.evaluation import Evaluated
    from sightline.project import Paths
    from sightline.tracking import Tracker
    from sightline.train.result import Trained

GOLDEN = 8
"""Images whose answers travel with the model, to check it wherever it is loaded."""


@dataclass(frozen=True)
class Registered:
    """A version in the registry."""

    model: str
    version: str
    is_new: bool


def register_backbone(tracker: Tracker, run: str, backbone: Trained, tags: Mapping[str, str]) -> Registered:
    """Register the backbone, unless a version with these weights is there."""
    known = tracker.find_version(tracker.backbone_model, backbone.weights)
    if known is not None:
        return Registered(tracker.backbone_model, str(known.version), is_new=False)
    folder = tracker.paths.root / backbone.path
    version = tracker.register_backbone(run, folder, {**tags, "weights": backbone.weights})
    return Registered(tracker.backbone_model, version, is_new=True)


def register(tracker: Tracker, run: str, best: Trained, evaluated: Evaluated, tags: Mapping[str, str]) -> Registered:
    """Package the candidate with its preprocessing and temperature and register it, unless it is there already."""
    known = tracker.find_version(tracker.classifier_model, best.weights)
    if known is not None:
        return Registered(tracker.classifier_model, str(known.version), is_new=False)
    paths = tracker.paths
    bundle = paths.runs / "bundles" / best.weights[:16]
    card = Card(best.network, best.size, best.classes, evaluated.temperature, best.weights)
    write_bundle(bundle, card, paths.root / best.path / WEIGHTS, *_golden(paths, best))
    more = {"weights": best.weights, "evaluation": evaluated.digest, "release": evaluated.release}
    version = tracker.register_classifier(run, bundle, {**tags, **more})
    return Registered(tracker.classifier_model, version, is_new=True)


def promote(tracker: Tracker, request: Request, limits: Gate, release_name: str) -> Outcome:
    """Put a registered version through the gate and make it champion where it passes, or let it wait for approval.

    An alias that a person moved meanwhile is answered first. Raises RegistryError where the version does not exist.
    """
    tracker.version(tracker.classifier_model, request.version)
    unknown = sorted(set(request.override) - set(REQUIRED))
    if unknown:
        raise RegistryError(f"override {unknown[0]}: there is no such check; there are {', '.join(REQUIRED)}")
    ledger = open_ledger(tracker.paths)

    def ask(asked: Request, champion: str | None) -> Judgement:
        return judge(tracker, ledger, asked, champion, limits, release_name)

    try:
        told = answer_requests(tracker, ledger, ask)
        outcome = contend(tracker, ledger, request, ask, approval=limits.approval)
        return replace(outcome, told=told)
    finally:
        ledger.close()


def approve(tracker: Tracker, outcome: Outcome, by: str, reason: str) -> Outcome:
    """Finish a promotion that waited for a person; raises Stale where it has to be judged again."""
    ledger = open_ledger(tracker.paths)
    try:
        return approved(tracker, ledger, outcome, by, reason)
    finally:
        ledger.close()


def roll_back(tracker: Tracker, reason: str) -> Outcome:
    """Bring the previous champion back; raises RegistryError where there is none or it does not answer."""
    ledger = open_ledger(tracker.paths)
    try:
        return rollback(tracker, ledger, reason)
    finally:
        ledger.close()


def history(tracker: Tracker) -> list[dict[str, Any]]:
    """Every row of the ledger about the classifier, oldest first."""
    ledger = open_ledger(tracker.paths)
    try:
        return [asdict(entry) for entry in ledger.history(tracker.classifier_model)]
    finally:
        ledger.close()


def _golden(paths: Paths, best: Trained) -> tuple[list[bytes], NDArray[np.floating[Any]]]:
    """A few validation images as files, and the logits of the training form for their pixels (N, classes).

    Serving decodes the files itself: where it does so otherwise than the training data were made, the answers differ.
    """
    rows = manifest.read(paths.manifest("target"))
    # Shards hold their rows in the order of the manifest within the shard.
    rows = rows[(rows["role"] == "val") & (rows["status"] == manifest.OK)].sort_values("shard", kind="stable")
    rows = rows.reset_index(drop=True)
    picked = rows.sort_values("sha256").head(GOLDEN)
    images = load(paths.shards("target"), "val")
    logits = predict(best.load(paths.root), images.pixels[torch.tensor(picked.index.to_numpy())], exact=True)
    files = [(paths.raw("target") / path).read_bytes() for path in picked["path"]]
    return files, logits.numpy()
