"""Accuracy guessed without labels: the average thresholded confidence (Garg et al. 2022), as an interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.heads.known import ONE
from sightline.heads.shares import wilson
from sightline.monitor.outcome import Estimate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.heads.protocol import Head

FEWEST = 30
"""Images in the window below which nothing is guessed."""


def guess(
    reference: NDArray[np.floating], right: NDArray[Any], window: NDArray[np.floating], head: Head = ONE
) -> Estimate | None:
    """From the probabilities (M, C) and how far each was right (M,), and those of the window (N, C).

    An image counts as right where its negative entropy is above the threshold that leaves as many of the reference
    below as are wrong there. Low and high come from the 95 % bounds of both the reference's accuracy and the window's
    share: what chance could do. How far the method itself is off under harsh shifts, they cannot tell.
    """
    if len(window) < FEWEST or not len(right):
        return None
    line, values = np.sort(head.certainty(reference)), head.certainty(window)

    def above(accuracy: float) -> float:
        place = round((1 - accuracy) * len(line))
        threshold = line[min(place, len(line) - 1)]
        # Where answers are so sure that many are alike, as large a part of the window's counts as of the reference's.
        first, last = np.searchsorted(line, threshold, "left"), np.searchsorted(line, threshold, "right")
        tied = (last - place) / (last - first)
        return float((values > threshold).sum() + tied * (values == threshold).sum())

    accuracy = float(right.mean())
    low, high = wilson(float(right.sum()), len(right))
    return Estimate(
        accuracy=above(accuracy) / len(values),
        low=wilson(above(low), len(values))[0],
        high=wilson(above(high), len(values))[1],
        images=len(values),
        reference=accuracy,
    )
