"""From a trained candidate to a registered version, and from there to champion: once or not at all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sightline.data.shards import are_current
from sightline.digests import tree_digest
from sightline.errors import DataError, ModelError, RegistryError
from sightline.evaluate import reference
from sightline.evaluate.evaluation import BUNDLE
from sightline.models import sealed
from sightline.registry import mending, strangers
from sightline.registry.blessing import check_names
from sightline.registry.champion import answer_requests, rollback, submit, take, turn_down
from sightline.registry.judge import Judgement, judge
from sightline.registry.ledger import WAITING
from sightline.registry.opening import open_ledger, uncrowned
from sightline.registry.outcome import Outcome
from sightline.registry.waiting import last_row
from sightline.tracking.versions import classifier_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sightline.evaluate.evaluation import Evaluated
    from sightline.params import Gate
    from sightline.project import Paths
    from sightline.registry.candidate import Request
    from sightline.registry.ledger import Ledger
    from sightline.tracking.runs import Tracker
    from sightline.train.result import Trained


@dataclass(frozen=True)
class Registered:
    """A version in the registry."""

    model: str
    version: str
    is_new: bool

    @property
    def words(self) -> str:
        """Which version it is, in a few words."""
        return f"{self.model} version {self.version}" + ("" if self.is_new else ", known")


def register_backbone(tracker: Tracker, run: str, backbone: Trained, tags: Mapping[str, str]) -> Registered:
    """Register the backbone, unless a version with these weights is there."""
    known = tracker.find_version(tracker.backbone_model, backbone.weights)
    if known is not None:
        return Registered(tracker.backbone_model, str(known.version), is_new=False)
    folder = tracker.paths.root / backbone.path
    version = tracker.register_backbone(run, folder, {**tags, "weights": backbone.weights})
    return Registered(tracker.backbone_model, version, is_new=True)


def register(tracker: Tracker, run: str, best: Trained, evaluated: Evaluated, tags: Mapping[str, str]) -> Registered:
    """Package the candidate with its preprocessing and temperature and register it, unless it is there already.

    A version that another release of Sightline registered and that nobody judged before counts for nothing: its code
    is refused here.
    """
    known = tracker.find_version(tracker.classifier_model, best.weights, evaluated.wanted)
    if known is not None and not _is_outdated(tracker, str(known.version)):
        return Registered(tracker.classifier_model, str(known.version), is_new=False)
    more = {"weights": best.weights, "wanted": evaluated.wanted}
    more |= {"evaluation": evaluated.digest, "release": evaluated.release}
    version = tracker.register_classifier(run, tracker.paths.root / evaluated.path / BUNDLE, {**tags, **more})
    return Registered(tracker.classifier_model, version, is_new=True)


def _is_outdated(tracker: Tracker, version: str) -> bool:
    """Whether a version holds the code of another release, of which the ledger does not know that it was once ours."""
    model = tracker.classifier_model
    try:
        bundle, _ = tracker.sealed(model, version)
    except (ModelError, RegistryError):
        return False  # Damage is told by the gate, and hidden by no other version.
    if sealed.strange_code(bundle.parents[1]) is None:
        return False
    ledger = open_ledger(tracker.paths)
    try:
        is_judged = ledger.seals(model, version, tree_digest(bundle)) is not None
        return not is_judged and ledger.champion(model) != version
    finally:
        ledger.close()


def promote(tracker: Tracker, request: Request, limits: Gate, release_name: str) -> Outcome:
    """Put a registered version through the gate and make it champion where it passes, or let it wait for approval.

    An alias that a person moved meanwhile is answered first. Raises RegistryError where the version does not exist, and
    DataError where something is to be judged and the test shards are not of the present data.
    """
    tracker.version(tracker.classifier_model, request.version)
    check_names(request.override)
    ledger = open_ledger(tracker.paths)

    def ask(asked: Request, champion: str | None) -> Judgement:
        _check_shards(tracker)
        return judge(tracker, ledger, asked, champion, limits, release_name)

    try:
        messages = _mended(tracker, ledger) + answer_requests(tracker, ledger, ask, approval=limits.approval)
        outcome = submit(tracker, ledger, request, ask, approval=limits.approval)
        return replace(outcome, messages=messages + _held(tracker, ledger, outcome))
    finally:
        ledger.close()


def _check_shards(tracker: Tracker) -> None:
    """Before anything is judged: a check that meets them later counts as failed, and the version as refused."""
    if not are_current(tracker.paths, "target", "test"):
        raise DataError("the data have changed and the test shards have not yet: run `sightline run` first")


def approve(tracker: Tracker, version: str, by: str, reason: str) -> Outcome:
    """Make a version the champion that waits for a person, because one says so.

    Raises RegistryError where it does not wait, or where it lacked test images and `reason` is empty; Stale where it
    has to be judged again.
    """
    ledger = open_ledger(tracker.paths)
    try:
        done = take(tracker, ledger, version, by, reason)
        return replace(done, messages=_held(tracker, ledger, done))
    finally:
        ledger.close()


def refuse(tracker: Tracker, version: str, by: str, reason: str) -> Outcome:
    """Refuse a version that waits for a person; raises RegistryError where it does not wait, or `reason` is empty."""
    ledger = open_ledger(tracker.paths)
    try:
        return turn_down(tracker, ledger, version, by, reason)
    finally:
        ledger.close()


def decided(paths: Paths, version: str, flow_run: str) -> Outcome | None:
    """What became of a version that waited by the request of `flow_run`; None while it does.

    Somebody approved or refused it, wherever, or had it judged again.
    """
    model, ledger = classifier_of(paths.params.project.name), open_ledger(paths)
    try:
        row, champion = last_row(ledger, model, version), ledger.champion(model)
    finally:
        ledger.close()
    if row is None or (row.decision == WAITING and row.evidence["asked"]["flow_run"] == flow_run):
        return None
    said = f"version {version} waits here no more, by the ledger it is {row.decision}: {row.reason}"
    return Outcome(version, champion, row.decision, row.reason, messages=(said,))


def champion(tracker: Tracker) -> str:
    """The version that is champion.

    Raises RegistryError where there is none, or where the registry no longer holds it.
    """
    ledger = open_ledger(tracker.paths)
    try:
        crowned = ledger.standing(tracker.classifier_model).champion
        if crowned is None:
            raise RegistryError(uncrowned(tracker.paths, ledger))
    finally:
        ledger.close()
    if trouble := strangers.told(tracker, crowned):
        raise RegistryError(trouble)
    return crowned.version


def roll_back(tracker: Tracker, reason: str) -> Outcome:
    """Bring the previous champion back; raises RegistryError where there is none or it does not answer."""
    ledger = open_ledger(tracker.paths)
    try:
        done = rollback(tracker, ledger, reason)
        return replace(done, messages=_held(tracker, ledger, done))
    finally:
        ledger.close()


def _mended(tracker: Tracker, ledger: Ledger) -> tuple[str, ...]:
    """The champion's files in the registry made whole, told in words: it is what others are compared with, and serves.

    Raises RegistryError where they are damaged and no whole copy is left.
    """
    crowned = ledger.standing(tracker.classifier_model).champion
    if crowned is None or strangers.registered(tracker, crowned) is None:
        return ()
    done = mending.mend_classifier(tracker, crowned.version)
    return (done,) if done else ()


def _held(tracker: Tracker, ledger: Ledger, outcome: Outcome) -> tuple[str, ...]:
    """Keep the champion's bundle in the project, so that it answers without MLflow, and the reference of its traffic.

    What else is wrong, in words.
    """
    crowned = ledger.standing(tracker.classifier_model).champion
    trouble = strangers.told(tracker, crowned)
    said = [trouble] if trouble and trouble not in outcome.sentence else []
    try:
        if crowned:
            bundle = tracker.bundle(tracker.classifier_model, crowned.version, crowned.bundle, crowned.weights)
            said += _referenced(tracker, crowned.version, bundle) if not trouble else []
    except RegistryError as error:
        said.append(f"the champion cannot answer: {error}")
    return tuple(said)


def _referenced(tracker: Tracker, version: str, bundle: Path) -> list[str]:
    """Make the champion's reference where it has none; why that cannot be, in words."""
    try:
        reference.keep(tracker, version, bundle)
    except (DataError, RegistryError) as error:
        return [f"its traffic cannot be watched, there is no reference: {error}"]
    return []
