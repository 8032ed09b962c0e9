"""Average precision, by which several labels are judged where no threshold has been chosen yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

DRAWS = 400
CELLS = 10**8
"""Scores that are sorted for an interval at most: large sets need fewer draws."""


def average_precisions(scores: Floats, labels: NDArray[np.generic]) -> NDArray[np.float64]:
    """(C,) of scores and labels (N, C), as scikit-learn has it; not a number for a class that no image shows.

    The mean, over the images of a class, of the precision among those that score as high or higher.
    """
    order = np.argsort(-scores, axis=0, kind="stable")
    ranked = np.take_along_axis(scores, order, axis=0)
    there = np.take_along_axis(labels, order, axis=0).astype(np.float64)
    found = np.cumsum(there, axis=0)
    count = np.arange(1, len(scores) + 1)[:, None]
    # Of equal scores all come in at once: each counts as the last of them.
    last = np.ones(ranked.shape, dtype=bool)
    last[:-1] = ranked[1:] != ranked[:-1]
    place = np.where(last, count - 1, len(scores))
    place = np.minimum.accumulate(place[::-1], axis=0)[::-1]
    precision = np.take_along_axis(found / count, place, axis=0)
    total = there.sum(axis=0)
    with np.errstate(invalid="ignore"):
        means: NDArray[np.float64] = (precision * there).sum(axis=0) / np.where(total > 0, total, np.nan)
    return means


def mean_average_precision(scores: Floats, labels: NDArray[np.generic]) -> float:
    """The mean over the classes that some image shows; 0 where none does."""
    found = average_precisions(scores, labels)
    known = found[np.isfinite(found)]
    return float(known.mean()) if len(known) else 0.0


def interval(scores: Floats, labels: NDArray[np.generic]) -> tuple[float, float]:
    """Ends of the 95 % interval of the mean average precision, by bootstrap over images (Efron 1979)."""
    rng = np.random.default_rng(0)
    draws = max(40, min(DRAWS, CELLS // max(1, scores.size)))
    rows = (rng.integers(len(scores), size=len(scores)) for _ in range(draws))
    found = [mean_average_precision(scores[drawn], labels[drawn]) for drawn in rows]
    low, high = np.quantile(found, (0.025, 0.975))
    return float(low), float(high)
