"""The gate at work: asks all of its rules about a registered version."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.evaluate import cost, release, robustness, slices
from sightline.registry import blessing as names
from sightline.registry import checks, rules
from sightline.registry.blessing import Blessing, Bound, decide
from sightline.registry.candidate import TAGS, Case
from sightline.registry.provenance import data_blessing
from sightline.registry.rules import NO_WORSE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.evaluate.metrics import BoolArray
    from sightline.evaluate.release import Release
    from sightline.models.predictor import Predictor
    from sightline.params import Gate
    from sightline.project import Paths
    from sightline.registry.blessing import Decision
    from sightline.registry.candidate import Request
    from sightline.registry.ledger import Ledger
    from sightline.tracking.runs import Tracker

COST_IMAGES = 20


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the gate found, and what it compared with."""

    version: str
    champion: str | None
    release: str
    """Name of the test release."""
    bound: Bound
    decision: Decision

    def evidence(self) -> dict[str, Any]:
        """Everything, for the ledger."""
        return {"release": self.release, "bound": asdict(self.bound), **asdict(self.decision)}


def judge(
    tracker: Tracker, ledger: Ledger, request: Request, champion: str | None, limits: Gate, release_name: str
) -> Judgement:
    """Ask every required check about `request.version`, against the `champion`.

    A check that raises is told as missing with its reason. Raises RegistryError where the version does not exist, and
    DataError where there is no test release.
    """
    case = Case(tracker, ledger, request, champion, limits, release_name)
    blessings = [_asked(name, check, case) for name, check in CHECKS.items()]
    decision = decide(blessings, case.bound, request.override)
    return Judgement(
        version=request.version,
        champion=champion,
        release=case.testing.name,
        bound=case.bound,
        decision=decision,
    )


def _asked(name: str, check: Callable[[Case], Blessing], case: Case) -> Blessing:
    try:
        return check(case)
    except Exception as error:  # noqa: BLE001 — whatever goes wrong in a check must block, and be named
        said = f"the check did not run: {str(error) or type(error).__name__}"
        return Blessing(name=name, verdict="missing", sentence=said, digests=case.bound)


def _overall(case: Case) -> Blessing:
    series = case.series
    candidate, rule = case.candidate.right, case.request.rule
    if case.champion is None or case.rival is None:
        return rules.first(candidate, case.candidate.labels, case.limits, case.bound)
    place = case.ledger.spending.spend(case.model, series, case.request.version, case.champion, rule, rules.CANDIDATES)
    judged = rules.later(candidate, case.rival.right, case.champion, rule, case.limits, case.bound)
    best = best_champion(case.ledger, case.model, case.testing.digest)
    if rule == NO_WORSE and best not in {None, case.champion, case.request.version}:
        judged = rules.with_best(judged, candidate, case.scored(str(best)).right, str(best), case.limits)
    said = f"{judged.sentence}; comparison {place} of {rules.CANDIDATES} on this release"
    figures = {**judged.figures, "place": place, "series": series}
    return Blessing(name=judged.name, verdict=judged.verdict, sentence=said, figures=figures, digests=case.bound)


def best_champion(ledger: Ledger, model: str, release_digest: str) -> str | None:
    """Which of those that ever were champion was right most often on that release, as far as the ledger knows."""
    found: dict[str, float] = {}
    crowned = set()
    for entry in ledger.history(model):
        if entry.change is not None:
            crowned.add(entry.version)
        if entry.evidence.get("bound", {}).get("release") == release_digest:
            figures: dict[str, Any] = next(
                (one["figures"] for one in entry.evidence["blessings"] if one["name"] == names.OVERALL), {}
            )
            if "accuracy" in figures:
                found[entry.version] = figures["accuracy"]
            if entry.champion_before and "champion_accuracy" in figures:
                found[entry.champion_before] = figures["champion_accuracy"]
    return max(crowned & found.keys(), key=lambda version: (found[version], version), default=None)


def _integrity(case: Case) -> Blessing:
    said = case.trial.trouble() if case.trial else case.broken
    missing = [tag for tag in TAGS.values() if not case.tags.get(tag)]
    trouble = [f"it does not load and answer in a fresh, restricted process: {said}"] if said else []
    if missing:
        trouble.append(f"the version does not say where it came from: no tag {', '.join(missing)}")
    elif case.bound.weights != case.tags[TAGS["weights"]]:
        trouble.append("its weights were changed since it was registered")
    if not said and not np.isfinite(case.scored(case.request.version).probabilities).all():
        trouble.append("it answers test images with NaN, which is no probability")
    if trouble:
        return Blessing(name=names.INTEGRITY, verdict="failed", sentence="; ".join(trouble), digests=case.bound)
    said = "its weights are those that were registered, and it answers in a fresh, restricted process as in training"
    return Blessing(name=names.INTEGRITY, verdict="passed", sentence=said, digests=case.bound)


def _data(case: Case) -> Blessing:
    return data_blessing(case.paths, case.tags, case.testing, case.bound)


def _fresh(case: Case) -> Blessing:
    rival = case.rival.right if case.rival else None
    done = rules.fresh(case.candidate.right, rival, case.testing.is_new, case.request.rule, case.limits, case.bound)
    waiting = release.waiting(case.paths, case.testing)
    if not waiting:
        return done
    said = f"{done.sentence}; {waiting} test images came since this release: name a new one (evaluate.release)"
    return Blessing(name=done.name, verdict=done.verdict, sentence=said, figures=done.figures, digests=case.bound)


def _slices(case: Case) -> Blessing:
    rows = release.rows(case.paths, case.testing)
    classes = case.predictor(case.request.version).card.classes
    rival = case.rival.right if case.rival else None
    parts = slices.table(rows)
    # With one class alone its slice would be all images, and is left out.
    expected = [f"label={name}" for name in classes] if len(classes) > 1 else []
    return checks.sliced(case.candidate.right, rival, parts, expected, case.bound)


def _calibration(case: Case) -> Blessing:
    return checks.calibrated(case.candidate, case.calib, case.rival, case.bound)


def _robustness(case: Case) -> Blessing:
    if case.champion is None:
        return checks.robust(None, None, case.limits, case.bound)
    picked = robustness.subset(case.testing.images)
    files, labels = [case.files[row] for row in picked.tolist()], case.labels[picked]
    own, other = (
        _under_corruption(case.predictor(one), files, labels) for one in (case.request.version, case.champion)
    )
    return checks.robust(own, other, case.limits, case.bound)


def _under_corruption(predictor: Predictor, files: list[bytes], labels: NDArray[np.str_]) -> Mapping[str, BoolArray]:
    from sightline.images.reading import decode

    pixels = np.stack([decode(data, predictor.card.size) for data in files])
    return robustness.right(predictor, pixels, labels)


def _cost(case: Case) -> Blessing:
    """Measured again where it fails: a machine that was busy at the wrong moment is no fault of the model."""
    if case.champion is None:
        return checks.cheap(None, None, case.bound)
    bundles = [case.tracker.download(case.model, one) for one in (case.request.version, case.champion)]
    images = _images(case.paths, case.testing)
    own, other = cost.measure(bundles, images)
    done = checks.cheap(own, other, case.bound)
    if done.verdict == names.PASSED:
        return done
    own, other = cost.measure(bundles, images)
    return checks.cheap(own, other, case.bound)


def _images(paths: Paths, testing: Release) -> list[Path]:
    rows = release.rows(paths, testing)
    return [paths.raw("target") / path for path in rows["path"].head(COST_IMAGES)]


CHECKS: dict[str, Callable[[Case], Blessing]] = {
    names.DATA: _data,
    names.OVERALL: _overall,
    names.FRESH: _fresh,
    names.SLICES: _slices,
    names.CALIBRATION: _calibration,
    names.ROBUSTNESS: _robustness,
    # Its process has worked while the others were asked; before the cost is measured it must be done.
    names.INTEGRITY: _integrity,
    names.COST: _cost,
}
"""How each required blessing is earned, in the order of asking."""
