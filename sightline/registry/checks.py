"""The rule about calibration; answers in, a blessing out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.evaluate import calibration, compare, metrics
from sightline.evaluate.confidence import COVERAGE
from sightline.models.conformal import raps_sets
from sightline.registry import rules
from sightline.registry.blessing import CALIBRATION, Blessing
from sightline.registry.check_log_loss import check_log_loss
from sightline.registry.rules import Compared

if TYPE_CHECKING:
    from sightline.registry.blessing import Bound
    from sightline.registry.rules import Scored, Word

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
