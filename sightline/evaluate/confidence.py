"""How sure a model is, and what that is worth: fitted on the calib images, told of the test images."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.evaluate import calibration
from sightline.evaluate.abstention import abstention_threshold, most_shown
from sightline.heads.conformal import FITTING, JUDGED, answered_sets
from sightline.heads.temperature import fit_temperature, softmax

if TYPE_CHECKING:
    from sightline.evaluate.calibration import RiskCoverage
    from sightline.evaluate.metrics import FloatArray, IntArray
    from sightline.heads.conformal import Conformal

COVERAGE = 0.9
"""Share of conformal sets that shall hold the true class."""
DRAWS = 500
"""Simulations of perfectly calibrated answers."""
MOST_POINTS = 100
"""Points of the risk-coverage curve that are kept."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What answers shall keep."""

    accuracy: float
    """Share of right ones among those that are sure enough."""
    precision: float | None = None
    """Share of right ones among the answers of each class, of several labels and of boxes; None: the highest F1."""

    @property
    def words(self) -> str:
        """Such as: accuracy 0.99, precision 0.9."""
        told = f"accuracy {self.accuracy:g}"
        return told if self.precision is None else f"{told}, precision {self.precision:g}"


@dataclass(frozen=True, kw_only=True)
class Confidence:
    """What the calib images said of a network's answers."""

    temperature: float
    wanted_accuracy: float | None
    """Share of right ones that answers above the threshold shall have; None in old bundles."""
    abstain_below: float | None
    """The threshold; None where no confidence is shown to keep that accuracy: then it cannot be promised."""
    conformal: Conformal | None
    """None where there were no calib images."""
    decoding: dict[str, Any] | None = None
    """What the head of a task fits besides."""


def fit(logits: FloatArray, labels: IntArray, wanted_accuracy: float) -> Confidence:
    """Temperature, threshold and conformal quantile of logits (N, C) and labels (N,); N may be 0."""
    if not len(labels):
        return Confidence(temperature=1.0, wanted_accuracy=wanted_accuracy, abstain_below=None, conformal=None)
    temperature = fit_temperature(logits, labels)
    probabilities = softmax(logits, temperature)
    rng = np.random.default_rng(FITTING)
    return Confidence(
        temperature=temperature,
        wanted_accuracy=wanted_accuracy,
        abstain_below=abstention_threshold(probabilities, labels, wanted_accuracy),
        conformal=calibration.raps_fit(probabilities, labels, COVERAGE, rng=rng),
    )


def tell(fitted: Confidence, logits: FloatArray, labels: IntArray) -> dict[str, Any]:
    """Calibration before and after the temperature, risk and coverage, abstention and sets, as figures for JSON.

    logits: (N, C) of the test images, before the temperature; labels: (N,) with N ≥ 1.
    """
    before = softmax(logits)
    after = softmax(logits, fitted.temperature)
    return {
        "temperature": fitted.temperature,
        "ece_before": calibration.ece(before, labels),
        "ece_after": calibration.ece(after, labels),
        "ece_null": calibration.ece_null(after, DRAWS, np.random.default_rng(0)),
        "reliability_before": [asdict(row) for row in calibration.reliability(before, labels)],
        "reliability": [asdict(row) for row in calibration.reliability(after, labels)],
        "risk_coverage": thinned(calibration.risk_coverage(after, labels)),
        "abstention": _abstention(fitted, after, labels),
        "conformal": _sets(fitted.conformal, after, labels),
    }


def thinned(curve: RiskCoverage) -> list[dict[str, float]]:
    """Points of a risk-coverage curve, evenly thinned, from the surest answer to all of them."""
    last = len(curve.threshold) - 1
    kept = np.unique(np.linspace(0, last, min(last + 1, MOST_POINTS)).round().astype(int))
    points = zip(curve.threshold[kept], curve.coverage[kept], curve.risk[kept], strict=True)
    return [
        {"threshold": float(threshold), "coverage": float(coverage), "risk": float(risk)}
        for threshold, coverage, risk in points
    ]


def _abstention(fitted: Confidence, probabilities: FloatArray, labels: IntArray) -> dict[str, Any]:
    """What the threshold does to the test images; `accuracy` is None where it answers none of them."""
    figures: dict[str, Any] = {"wanted_accuracy": fitted.wanted_accuracy, "threshold": fitted.abstain_below}
    figures["most_shown"] = most_shown(fitted.conformal.images) if fitted.conformal else None
    if fitted.abstain_below is None:
        return {**figures, "coverage": None, "accuracy": None}
    answered = probabilities.max(axis=1) >= fitted.abstain_below
    right = probabilities.argmax(axis=1)[answered] == labels[answered]
    return {**figures, "coverage": float(answered.mean()), "accuracy": float(right.mean()) if len(right) else None}


def _sets(conformal: Conformal | None, probabilities: FloatArray, labels: IntArray) -> dict[str, Any] | None:
    """Coverage and size of the sets as they are answered: the randomised ones, with the answer added."""
    if conformal is None:
        return None
    sets = answered_sets(conformal, probabilities, np.random.default_rng(JUDGED))
    return {
        **asdict(conformal),
        "wanted": conformal.coverage,
        "coverage": float(sets[np.arange(len(sets)), labels].mean()),
        "mean_size": float(sets.sum(axis=1).mean()),
    }
