"""The gate at work: asks all of its rules about a registered version."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sightline.data import manifest
from sightline.digests import dvc_digest
from sightline.evaluate import cost, release, robustness, slices
from sightline.evaluate.evaluation import image_files
from sightline.evaluate.paired import paired
from sightline.masking import masked
from sightline.registry import blessing as names
from sightline.registry import rules
from sightline.registry.blessing import Blessing, Bound, decide
from sightline.registry.candidate import TAGS, Candidate
from sightline.registry.check_calibration import check_calibration
from sightline.registry.check_cost import check_cost
from sightline.registry.check_fresh import check_fresh
from sightline.registry.check_robustness import check_robustness
from sightline.registry.check_serving import check_serving, not_made
from sightline.registry.check_slices import check_slices
from sightline.registry.differences import differences
from sightline.registry.objections import objection
from sightline.registry.provenance import data_blessing
from sightline.registry.rules import NO_WORSE
from sightline.registry.wealth import spend

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from sightline.evaluate.metrics import Figures
    from sightline.evaluate.paired import Paired
    from sightline.heads.gained import Gained
    from sightline.models.predictor import Predictor
    from sightline.params import Gate
    from sightline.registry.blessing import Decision
    from sightline.registry.candidate import Request
    from sightline.registry.differences import Difference
    from sightline.registry.ledger import Ledger
    from sightline.tracking.runs import Tracker


HELD_OUT = ("calib", "val")
"""Roles that were not learned from, beside the test images."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the gate found, and what it compared with."""

    version: str
    champion: str | None
    release: str
    """Name of the test release."""
    bound: Bound
    decision: Decision
    bundle: str | None = None
    """`tree_digest` of the bundle that was judged; None where its files could not be fetched, or are not genuine."""
    seals: dict[str, str] = field(default_factory=dict)
    """SHA-256 of every file of the version that was judged."""
    differences: tuple[Difference, ...] = ()
    """What a person looks at, where one is asked."""

    def evidence(self) -> dict[str, Any]:
        """Everything, for the ledger."""
        return {"release": self.release, "bound": asdict(self.bound), "seals": self.seals, **asdict(self.decision)}


def judge(
    tracker: Tracker, ledger: Ledger, request: Request, champion: str | None, limits: Gate, release_name: str
) -> Judgement:
    """Ask every required check about `request.version`, against the `champion`.

    A check that raises is told as missing with its reason. Raises RegistryError where the version does not exist, and
    DataError where there is no test release.
    """
    candidate = Candidate(tracker, ledger, request, champion, limits, release_name)
    with closing(candidate):
        for name, check in CHECKS.items():
            candidate.found.append(_asked(name, check, candidate))
    decision = decide(candidate.found, candidate.bound, request.override)
    asks = decision.verdict == names.INSUFFICIENT or (decision.promote and limits.approval)
    return Judgement(
        version=request.version,
        champion=champion,
        release=candidate.testing.name,
        bound=candidate.bound,
        decision=decision,
        bundle=candidate.own.digest if candidate.own else None,
        seals=candidate.own.seals if candidate.own else {},
        differences=differences(candidate) if asks else (),
    )


def _asked(name: str, check: Callable[[Candidate], Blessing], candidate: Candidate) -> Blessing:
    try:
        return check(candidate)
    except Exception as error:  # noqa: BLE001 — whatever goes wrong in a check must block, and be named
        said = masked(f"the check did not run: {str(error) or type(error).__name__}")
        return Blessing(name=name, verdict="missing", sentence=said, digests=candidate.bound)


def _overall(candidate: Candidate) -> Blessing:
    """The comparison, with what is compared where that is not right or wrong."""
    done, head = _against_champion(candidate), candidate.answers.head
    return done if head.is_exclusive else replace(done, figures={**done.figures, "measure": f"mean {head.figure}"})


def _against_champion(candidate: Candidate) -> Blessing:
    """The comparison is spent only where nothing else speaks against the candidate."""
    bound, fixed = candidate.bound, release.listed(candidate.paths, candidate.testing)
    candidate.ledger.comparisons.note(candidate.model, fixed.name, fixed.digest, fixed.images)
    if candidate.champion is None or candidate.rival is None:
        own = candidate.answers
        return rules.first(own.right, own.labels, candidate.limits, bound, own.head)
    pair = paired(candidate.rival.right, candidate.answers.right, candidate.groups)
    score = candidate.answers.gained(candidate.rival)
    worse = rules.harmed(pair, candidate.champion, bound, score)
    if worse is not None:
        return worse
    if not pair.disagreement and candidate.has_the_network_of(candidate.champion):
        return rules.same_network(pair, candidate.champion, candidate.request.rule, bound)
    against = objection(candidate, candidate.champion, [name for name in CHECKS if name != names.OVERALL])
    if against is not None:
        return rules.not_asked(against.sentence, pair, bound, against.verdict)
    return _compared(candidate, candidate.champion, pair, score)


def _compared(candidate: Candidate, champion: str, pair: Paired, score: Gained | None) -> Blessing:
    place, level = spend(candidate, champion)
    rule, limits = candidate.request.rule, candidate.limits
    judged = rules.later(pair, champion, rule, limits, level, candidate.bound, score)
    best = best_champion(candidate.ledger, candidate.model, candidate.testing.name)
    if rule == NO_WORSE and best not in {None, champion, candidate.request.version}:
        other = candidate.scored(str(best))
        beside = paired(other.right, candidate.answers.right, candidate.groups)
        judged = rules.with_best(judged, beside, str(best), limits, level, candidate.answers.gained(other))
    return replace(judged, figures={**judged.figures, "place": place})


def best_champion(ledger: Ledger, model: str, release_name: str) -> str | None:
    """Which of those that ever were champion was right most often on that release, as far as the ledger knows.

    However it has grown, or images have left it: whoever is named is held against the candidate on the present images.
    """
    found: dict[str, float] = {}
    crowned = set()
    for entry in ledger.history(model):
        if entry.change is not None:
            crowned.add(entry.version)
        if release.line_of(entry.evidence.get("release", "")) == release.line_of(release_name):
            figures: dict[str, Any] = next(
                (one["figures"] for one in entry.evidence["blessings"] if one["name"] == names.OVERALL), {}
            )
            if "accuracy" in figures:
                found[entry.version] = figures["accuracy"]
            if entry.champion_before and "champion_accuracy" in figures:
                found[entry.champion_before] = figures["champion_accuracy"]
    return max(crowned & found.keys(), key=lambda version: (found[version], version), default=None)


def _integrity(candidate: Candidate) -> Blessing:
    said = candidate.trial.trouble() if candidate.trial else candidate.broken
    missing = [tag for tag in TAGS.values() if not candidate.tags.get(tag)]
    trouble = [f"tried in a fresh process: {said}"] if said else []
    if missing:
        trouble.append(f"the version does not say where it came from: no tag {', '.join(missing)}")
    elif candidate.bound.weights != candidate.tags[TAGS["weights"]]:
        trouble.append("its weights were changed since it was registered")
    if not said and not np.isfinite(candidate.scored(candidate.request.version).probabilities).all():
        trouble.append("it answers test images with NaN, which is no probability")
    if trouble:
        return Blessing(name=names.INTEGRITY, verdict="failed", sentence="; ".join(trouble), digests=candidate.bound)
    said = "its weights are those that were registered, and it answers in a fresh, restricted process as in training"
    return Blessing(name=names.INTEGRITY, verdict="passed", sentence=said, digests=candidate.bound)


def _data(candidate: Candidate) -> Blessing:
    return data_blessing(candidate.tracker, candidate.tags, candidate.testing, candidate.bound)


def _fresh(candidate: Candidate) -> Blessing:
    done = check_fresh(
        candidate.answers.right,
        candidate.rival.right if candidate.rival else None,
        candidate.testing.is_new,
        candidate.groups,
        candidate.request.rule,
        candidate.limits,
        candidate.bound,
    )
    return replace(done, figures={**done.figures, "waiting": release.waiting(candidate.paths, candidate.testing)})


def _slices(candidate: Candidate) -> Blessing:
    """On all images that neither model learned from: test, calibration and validation images."""
    held_out = pd.concat([candidate.rows, *(candidate.role(name) for name in HELD_OUT)], ignore_index=True)
    card = candidate.predictor(candidate.request.version).card
    classes = card.classes
    # With one class alone its slice would be all images, and is left out.
    expected = [f"label={name}" for name in classes] if len(classes) > 1 else []
    return check_slices(
        _right_on_all(candidate, candidate.request.version),
        _right_on_all(candidate, candidate.champion) if candidate.champion else None,
        slices.table(held_out, card.task),
        expected,
        np.arange(len(held_out)) < len(candidate.rows),
        manifest.groups(held_out),
        candidate.bound,
        candidate.answers.head,
    )


def _right_on_all(candidate: Candidate, version: str) -> Figures:
    parts = [candidate.scored(version), *(candidate.on_role(name, version) for name in HELD_OUT)]
    return np.concatenate([one.right for one in parts])


def _calibration(candidate: Candidate) -> Blessing:
    # Scores of boxes are fitted on all of them, and not on the claims that are looked at here.
    located = candidate.answers.head.is_located
    own = not located and candidate.bound.data == dvc_digest(candidate.paths.manifest("target").parent)
    return check_calibration(candidate.answers, candidate.calib, candidate.rival, candidate.bound, own=own)


def _robustness(candidate: Candidate) -> Blessing:
    picked = robustness.subset(candidate.testing.images)
    files, labels = [candidate.files[row] for row in picked.tolist()], candidate.labels[picked]
    own, other = (
        _under_corruption(candidate.predictor(one), files, labels) if one else None
        for one in (candidate.request.version, candidate.champion)
    )
    assert own is not None  # noqa: S101 — only the champion may be none
    clean, groups = candidate.answers.right[picked], candidate.groups[picked]
    return check_robustness(own, other, clean, groups, candidate.limits, candidate.bound, candidate.answers.head)


def _under_corruption(predictor: Predictor, files: list[bytes], labels: NDArray[np.str_]) -> Mapping[str, Figures]:
    pixels = np.stack([predictor.decode(data) for data in files])
    return robustness.right(predictor, pixels, labels)


def _serving(candidate: Candidate) -> Blessing:
    """Compared and kept only of a version that nothing speaks against so far."""
    blocking = [one for one in candidate.found if one.blocks and one.name not in candidate.request.override]
    if blocking:
        return not_made(blocking[0], candidate.bound)
    return check_serving(
        candidate.paths, candidate.folder(candidate.request.version), candidate.making, candidate.bound
    )


def _cost(candidate: Candidate) -> Blessing:
    """Measured again where it fails: a machine that was busy at the wrong moment is no fault of the model."""
    if candidate.champion is None:
        return check_cost(None, candidate.bound)
    own, other = (candidate.folder(one) for one in (candidate.request.version, candidate.champion))
    images = image_files(candidate.paths, release.rows(candidate.paths, candidate.testing))
    done = check_cost(cost.compare(own, other, images), candidate.bound)
    return done if done.verdict == names.PASSED else check_cost(cost.compare(own, other, images), candidate.bound)


CHECKS: dict[str, Callable[[Candidate], Blessing]] = {
    names.DATA: _data,
    names.FRESH: _fresh,
    names.SLICES: _slices,
    names.CALIBRATION: _calibration,
    names.ROBUSTNESS: _robustness,
    # Their processes have worked while the others were asked; before the cost is measured they must be done.
    names.INTEGRITY: _integrity,
    names.SERVING: _serving,
    names.COST: _cost,
    # Last: whatever another check refuses is not compared, and spends nothing.
    names.OVERALL: _overall,
}
"""How each required blessing is earned, in the order of asking."""
