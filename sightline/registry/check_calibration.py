"""The gate's rule of calibration: whether a model is as right as it says, and no worse at that than the champion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.evaluate import calibration, fitted_null
from sightline.heads.conformal import FITTING, JUDGED, answered_sets
from sightline.registry import rules
from sightline.registry.blessing import CALIBRATION, FAILED, Blessing
from sightline.registry.check_log_loss import check_log_loss
from sightline.registry.rules import Compared

if TYPE_CHECKING:
    from sightline.evaluate.metrics import FloatArray, IntArray
    from sightline.registry.blessing import Bound
    from sightline.registry.rules import Scored, Word

SHOWN = 0.001
"""p from which on a model counts as shown not to keep what it says."""
OFF, SUSPECT = 1.5, 0.2
"""A temperature that is so many times too low for the very images that it was fitted on is a fault in itself, where the
claims have this p: fitted again it is 1, by rounding and by how the images were stored for training."""
COVERAGE = 0.9
"""Share of conformal sets that shall hold the true class."""


def check_calibration(
    candidate: Scored, calib: Scored, champion: Scored | None, bound: Bound, *, own: bool = False
) -> Blessing:
    """Whether harm is shown: claims that are not kept, sets that hold the truth too seldom, a higher log loss.

    `calib`: the candidate's answers for the calibration images, which temperature and sets are fitted on; `own`: on
    exactly these, none came or went since. Claims block beside a champion only where its calibration error is lower.
    """
    if not len(calib.labels):
        said = "there are no calibration images, so it did not run: raise datasets.target.roles.calib"
        return Blessing(name=CALIBRATION, verdict="missing", sentence=said, digests=bound)
    claims = all(len(truth) for _, truth in (*_pairs(candidate), *_pairs(calib)))
    parts = [_claims(candidate, calib, champion, own=own)] if claims else []
    if candidate.head.is_exclusive:
        parts.append(_coverage(candidate, calib))
    if champion is not None:
        parts.append(check_log_loss(candidate, champion))
    if not parts:
        return rules.blessed(CALIBRATION, "passed", "it claims nothing that could be wrong", {}, bound)
    failing = [part for part in parts if part.verdict == FAILED]
    verdict: Word = "failed" if failing else "passed"
    figures = {key: value for part in parts for key, value in part.figures.items()}
    figures["log_loss"] = float(candidate.log_losses.mean())
    # What does not block is led by the calibration error; the other figures are on the page.
    return rules.blessed(
        CALIBRATION, verdict, "; ".join(part.sentence for part in failing or parts[:1]), figures, bound
    )


def _claims(candidate: Scored, calib: Scored, champion: Scored | None, *, own: bool) -> Compared:
    """Of each kind of decision by itself, so that images are independent; any of them with that chance (Bonferroni).

    One rng for it alone: what is drawn here must not depend on what the sets draw.
    """
    rng, own_pair = np.random.default_rng([0, 0]), _pair(candidate)
    kinds = list(zip(_pairs(calib), _pairs(candidate), strict=False))
    p = min(1.0, len(kinds) * min(fitted_null.chance(fitting, judged, rng) for fitting, judged in kinds))
    error = calibration.ece(*own_pair)
    other = None if champion is None else _pair(champion)
    best = None if other is None or not len(other[1]) else calibration.ece(*other)
    off = fitted_null.off(*_pair(calib))
    wrong = own and off >= OFF
    good = p > (SUSPECT if wrong else SHOWN) or (best is not None and error <= best)
    claimed, right = (float(one.mean()) for one in calibration.answers(*own_pair))
    figure = f"it claims {claimed:.1%} and is right in {right:.1%}"
    if good:
        sentence = f"calibration error {error:.1%}: {figure}"
    elif wrong:
        sentence = f"its temperature is {off:.1f} times too low for its own calibration images: {figure} (p = {p:.2g})"
    else:
        known = f"{len(calib.labels)} images (datasets.target.roles.calib)"
        sentence = f"not as right as it says: {figure} (p = {p:.2g}), fitted on {known}"
    figures = {"ece": error, "ece_p": p, "ece_champion": best, "claimed": claimed, "temperature_off": off}
    return Compared(verdict="passed" if good else "failed", sentence=sentence, figures=figures)


def _coverage(candidate: Scored, calib: Scored) -> Compared:
    """The sets as they are answered: the randomised ones, for which chance is known exactly, and the answer."""
    fitting, judged = np.random.default_rng(FITTING), np.random.default_rng(JUDGED)
    fitted = calibration.raps_fit(calib.probabilities, calib.labels, COVERAGE, rng=fitting)
    held = answered_sets(fitted, candidate.probabilities, judged)[np.arange(len(candidate.labels)), candidate.labels]
    p = calibration.coverage_p(int(held.sum()), len(held), len(calib.labels), COVERAGE)
    sentence = (
        f"its sets of likely classes hold the true one in {held.mean():.1%} of images, {COVERAGE:.0%} is promised"
    )
    figures = {"coverage": float(held.mean()), "coverage_p": p}
    return Compared(verdict="passed" if p > SHOWN else "failed", sentence=f"{sentence} (p = {p:.2g})", figures=figures)


def _pairs(scored: Scored) -> list[tuple[FloatArray, IntArray]]:
    """Probabilities (N, K) of each kind of decision, and what is true (N,)."""
    return scored.head.claims(scored.probabilities, scored.labels)


def _pair(scored: Scored) -> tuple[FloatArray, IntArray]:
    """Those of all decisions."""
    found = _pairs(scored)
    if len(found) == 1:
        return found[0]
    probabilities, labels = zip(*found, strict=True)
    return np.concatenate(probabilities), np.concatenate(labels)
