"""From a trained candidate to a registered version, and from there to champion: once or not at all."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.errors import RegistryError
from sightline.evaluate import gate, release
from sightline.evaluate.evaluation import BUNDLE
from sightline.ledger import PROMOTED, REFUSED, Entry, Ledger, open_ledger
from sightline.tracking import CHALLENGER, CHAMPION, PREVIOUS, answers_in_fresh_process

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from sightline.config import Gate
    from sightline.evaluate.evaluation import Evaluated
    from sightline.evaluate.gate import Decision
    from sightline.tracking import Tracker
    from sightline.train.result import Trained


@dataclass(frozen=True)
class Registered:
    """A version in the registry."""

    model: str
    version: str
    is_new: bool


@dataclass(frozen=True)
class Outcome:
    """What a promotion came to."""

    version: str
    champion: str | None
    promoted: bool
    sentence: str
    figures: dict[str, Any]


def register_backbone(tracker: Tracker, run: str, backbone: Trained, tags: Mapping[str, str]) -> Registered:
    """Register the backbone, unless a version with these weights is there."""
    known = tracker.find_version(tracker.backbone_model, backbone.weights)
    if known is not None:
        return Registered(tracker.backbone_model, str(known.version), is_new=False)
    folder = tracker.paths.root / backbone.path
    version = tracker.register_backbone(run, folder, {**tags, "weights": backbone.weights})
    return Registered(tracker.backbone_model, version, is_new=True)


def register(tracker: Tracker, run: str, best: Trained, evaluated: Evaluated, tags: Mapping[str, str]) -> Registered:
    """Register the bundle that was evaluated, unless a version with these weights is there."""
    known = tracker.find_version(tracker.classifier_model, best.weights)
    if known is not None:
        return Registered(tracker.classifier_model, str(known.version), is_new=False)
    more = {"weights": best.weights, "evaluation": evaluated.digest, "release": evaluated.release}
    version = tracker.register_classifier(run, tracker.paths.root / evaluated.path / BUNDLE, {**tags, **more})
    return Registered(tracker.classifier_model, version, is_new=True)


def promote(tracker: Tracker, version: str, limits: Gate, release_name: str, reason: str) -> Outcome:
    """Put a registered version through the gate and make it champion where it passes.

    Candidate and champion are both asked for the files of the present test release, as serving would be. Raises
    RegistryError where the version does not exist or the champion changed meanwhile.
    """
    model = tracker.classifier_model
    tracker.version(model, version)
    ledger = open_ledger(tracker.paths)
    try:
        reconcile(tracker, ledger)
        champion = ledger.champion(model)
        if champion == version:
            return Outcome(
                version, champion, promoted=False, sentence=f"version {version} is the champion already", figures={}
            )
        decision = _decide(tracker, version, champion, limits, release_name)
        entry = Entry(
            model=model,
            version=version,
            champion_before=champion,
            decision=PROMOTED if decision.promote else REFUSED,
            actor=getpass.getuser(),
            reason=f"{reason}: {decision.sentence}",
            evidence=decision.figures,
        )
        ledger.append(entry)
        tracker.tag_version(model, version, {"gate": decision.sentence})
        if decision.promote:
            reconcile(tracker, ledger)
        else:
            tracker.set_alias(model, CHALLENGER, version)
        return Outcome(version, ledger.champion(model), decision.promote, decision.sentence, decision.figures)
    finally:
        ledger.close()


def reconcile(tracker: Tracker, ledger: Ledger) -> None:
    """Set the aliases as the ledger says: mends a promotion that was killed between the row and the alias."""
    model = tracker.classifier_model
    champion = ledger.champion(model)
    wanted = {CHAMPION: champion, PREVIOUS: ledger.previous(model)}
    for alias, number in wanted.items():
        present = tracker.aliased(model, alias)
        if (str(present.version) if present else None) != number:
            tracker.set_alias(model, alias, number)
    challenger = tracker.aliased(model, CHALLENGER)
    if challenger is not None and str(challenger.version) == champion:
        tracker.set_alias(model, CHALLENGER, None)


def _decide(tracker: Tracker, version: str, champion: str | None, limits: Gate, release_name: str) -> Decision:
    model = tracker.classifier_model
    trouble = answers_in_fresh_process(f"models:/{model}/{version}")
    if trouble is not None:
        sentence = f"version {version} does not load and answer in a fresh process: {trouble}"
        return gate.Decision(promote=False, sentence=sentence, figures={"rule": "integrity"})
    testing = release.current(tracker.paths, release_name)
    files = release.open_files(tracker.paths, testing)
    labels = release.labels(tracker.paths, testing)
    candidate = _answers(tracker, version, files)
    if champion is None:
        return gate.first(_floors(candidate, labels), limits)
    return gate.later(candidate == labels, _answers(tracker, champion, files) == labels, champion, limits)


def _floors(answers: NDArray[np.str_], labels: NDArray[np.str_]) -> dict[str, Any]:
    names, counts = np.unique(labels, return_counts=True)
    return {
        "accuracy": float((answers == labels).mean()),
        "release": {"images": len(labels)},
        "per_class": {str(name): {"support": int(count)} for name, count in zip(names, counts, strict=True)},
    }


def _answers(tracker: Tracker, version: str, files: list[bytes]) -> NDArray[np.str_]:
    """The class that a registered version gives each image file."""
    try:
        predictor = tracker.predictor(tracker.classifier_model, version)
    except RegistryError as error:
        raise RegistryError(f"{error}; nothing can be compared, so nothing is promoted") from error
    answers: NDArray[np.str_] = np.array(predictor.card.classes)[predictor.probabilities(files).argmax(axis=1)]
    return answers
