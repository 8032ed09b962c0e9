"""The confidence from which on answers are right as often as was wanted, shown and not only seen.

Learn then test (Angelopoulos et al. 2021): each threshold is a hypothesis "the answers from here on are wrong too
often", rejected by an exact test; what is rejected holds in all but `DELTA` of all calibrations.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sightline.evaluate.calibration import answers, ranked

if TYPE_CHECKING:
    from sightline.evaluate.metrics import BoolArray, FloatArray, IntArray

DELTA = 0.1
"""How often a threshold may promise more than its answers keep."""
STARTS = (0.125, 0.25, 0.5, 0.9)
"""Shares of the images, surest first, at which the search starts; each has its part of DELTA."""


def abstention_threshold(probabilities: FloatArray, labels: IntArray, wanted_accuracy: float) -> float | None:
    """Lowest confidence from which on answers are shown to be right in `wanted_accuracy`; None where none is shown.

    probabilities: (N, C); labels: (N,). From each start, or from the fewest images that could show it, the search goes
    on to less sure answers for as long as the Clopper–Pearson bound of the wrong ones stays below what is wanted: in
    such a fixed sequence further tests cost no further chance.
    """
    return least_sure(*answers(probabilities, labels), wanted_accuracy)


def least_sure(confidence: FloatArray, right: BoolArray, wanted_accuracy: float) -> float | None:
    """The same of answers (N,) that are so sure, and right or not."""
    from scipy.stats import binom

    threshold, answered, wrong = ranked(confidence, right)
    shown = binom.cdf(wrong, answered, 1 - wanted_accuracy) <= DELTA / len(STARTS)
    fewest = fewest_images(wanted_accuracy)
    firsts = {int(np.searchsorted(answered, max(share * len(right), fewest))) for share in STARTS}
    # Of one sequence the last before the first that is not shown.
    lasts = [
        first - 1 + int(np.argmin(np.append(shown[first:], False)))
        for first in firsts
        if first < len(shown) and shown[first]
    ]
    return float(threshold[max(lasts)]) if lasts else None


def fewest_images(wanted_accuracy: float) -> int:
    """So many calibration images, every answer right, show that accuracy; fewer cannot."""
    return math.ceil(math.log(DELTA / len(STARTS)) / math.log(wanted_accuracy))


def most_shown(images: int) -> float:
    """The accuracy that so many calibration images show where every answer is right."""
    share: float = (DELTA / len(STARTS)) ** (1 / images)
    return share
