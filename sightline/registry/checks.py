"""The other rules of the gate: calibration, robustness and cost; answers in, blessings out."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from sightline.evaluate import calibration, compare, metrics
from sightline.evaluate.confidence import COVERAGE
from sightline.models.conformal import raps_sets
from sightline.registry import rules
from sightline.registry.blessing import CALIBRATION, COST, NO_CHAMPION, NOT_APPLICABLE, ROBUSTNESS, Blessing
from sightline.registry.check_log_loss import check_log_loss
from sightline.registry.rules import Compared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sightline.evaluate.cost import Cost
    from sightline.evaluate.metrics import BoolArray
    from sightline.params import Gate
    from sightline.registry.blessing import Bound
    from sightline.registry.rules import Scored, Word

DEARER = 1.1
"""Latency and memory may be so many times the champion's."""
DRAWS = 1000
"""Simulations of perfectly calibrated answers."""


def check_calibration(candidate: Scored, calib: Scored, champion: Scored | None, bound: Bound) -> Blessing:
    """Whether the candidate knows when it is right: calibration error, log loss and conformal coverage.

    `calib`: its answers for the calibration images, which the conformal threshold is fitted on.
    """
    if not len(calib.labels):
        said = "there are no calibration images, so it did not run: raise datasets.target.roles.calib"
        return Blessing(name=CALIBRATION, verdict="missing", sentence=said, digests=bound)
    parts = [_confidence(candidate, len(calib.labels)), _coverage(candidate, calib)]
    if champion is not None:
        parts.append(check_log_loss(candidate, champion))
    failing = [part for part in parts if part.verdict != "passed"]
    verdict: Word = "failed" if failing else "passed"
    figures = {key: value for part in parts for key, value in part.figures.items()}
    figures["log_loss"] = metrics.log_loss(candidate.labels, candidate.probabilities)
    return rules.blessed(CALIBRATION, verdict, "; ".join(part.sentence for part in failing or parts), figures, bound)


def _confidence(candidate: Scored, calib: int) -> Compared:
    """`calib`: how many images its temperature was fitted on."""
    found = calibration.ece(candidate.probabilities, candidate.labels)
    limit = calibration.ece_null(candidate.probabilities, DRAWS, np.random.default_rng(0))
    good = found <= limit
    word = "as right as it says" if good else "not as right as it says"
    sentence = f"{word}: calibration error {found:.1%}, where a perfectly calibrated model stays below {limit:.1%}"
    if not good:
        sentence += f"; fitted on {calib} calibration images, datasets.target.roles.calib gives it more"
    return Compared(
        verdict="passed" if good else "failed", sentence=sentence, figures={"ece": found, "ece_limit": limit}
    )


def _coverage(candidate: Scored, calib: Scored) -> Compared:
    """Randomised sets, for which the interval is exact on both sides."""
    rng = np.random.default_rng(0)
    fitted = calibration.raps_fit(calib.probabilities, calib.labels, COVERAGE, rng=rng)
    sets = raps_sets(fitted, candidate.probabilities, rng)
    found = float(sets[np.arange(len(sets)), candidate.labels].mean())
    low, high = compare.coverage_interval(len(calib.labels), len(sets), COVERAGE)
    good = low <= found <= high
    sentence = (
        f"its sets of likely classes hold the true one in {found:.1%} of images, "
        f"{'inside' if good else 'outside'} {low:.1%} … {high:.1%}"
    )
    figures = {"coverage": found, "coverage_low": low, "coverage_high": high}
    return Compared(verdict="passed" if good else "failed", sentence=sentence, figures=figures)


def check_robustness(
    candidate: Mapping[str, BoolArray] | None, champion: Mapping[str, BoolArray] | None, limits: Gate, bound: Bound
) -> Blessing:
    """Whether the mean accuracy over the corruptions (right answers (N,) by name) falls by no more than the margin."""
    if candidate is None or champion is None:
        return rules.blessed(ROBUSTNESS, NOT_APPLICABLE, NO_CHAMPION, {}, bound)
    own = {name: float(right.mean()) for name, right in candidate.items()}
    other = {name: float(champion[name].mean()) for name in own}
    difference = float(np.mean([own[name] - other[name] for name in own]))
    figures = {"candidate": own, "champion": other, "difference": difference, "margin": limits.margin}
    good = difference >= -limits.margin
    said = (
        f"on {len(own)} corruptions right in {np.mean(list(own.values())):.1%}, the champion in "
        f"{np.mean(list(other.values())):.1%}: {100 * difference:+.2f} points, {-100 * limits.margin:+.2f} is allowed"
    )
    return rules.blessed(ROBUSTNESS, "passed" if good else "failed", said, figures, bound)


def check_cost(candidate: Cost | None, champion: Cost | None, bound: Bound) -> Blessing:
    """Whether p95 latency and memory stay within 1.1 times the champion's."""
    if candidate is None or champion is None:
        return rules.blessed(COST, NOT_APPLICABLE, NO_CHAMPION, {}, bound)
    figures = {"candidate": asdict(candidate), "champion": asdict(champion), "limit": DEARER}
    slower, larger = candidate.p95_ms / champion.p95_ms, candidate.memory_mb / champion.memory_mb
    said = (
        f"an answer takes {candidate.p95_ms:.1f} ms (95 % quantile; {slower:.2f} × the champion's) and "
        f"{candidate.memory_mb:.0f} MB ({larger:.2f} ×); {DEARER:g} × is allowed"
    )
    return rules.blessed(COST, "passed" if max(slower, larger) <= DEARER else "failed", said, figures, bound)
