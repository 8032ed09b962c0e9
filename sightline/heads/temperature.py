"""From logits to probabilities, and the temperature that makes them claim what they keep."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLDEST, HOTTEST = 0.05, 20.0
"""Bounds of the temperature: noise would ask for infinity."""


def softmax(logits: NDArray[np.floating[Any]], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probabilities (N, C) in float64 from logits (N, C) divided by the temperature."""
    cooled = logits.astype(np.float64) / temperature
    odds = np.exp(cooled - cooled.max(axis=1, keepdims=True))
    probabilities: NDArray[np.float64] = odds / odds.sum(axis=1, keepdims=True)
    return probabilities


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Find the temperature in 0.05 … 20 with the least log loss (Guo et al. 2017), one more wrong answer counted in.

    logits: (N, C) with N ≥ 1 and C ≥ 2; labels: (N,). The further answer is as sure as the N are on average, and right
    would be its second class. Without it a hundred images that are all right, as good networks have them, ask for
    certainty; Platt (1999) keeps his targets away from 0 and 1 for the same reason. The loss is convex in 1 / T, so
    it has one valley in log T too.
    """
    from scipy.optimize import minimize_scalar

    wide = logits.astype(np.float64)
    # Of each row the loss reads three logits and the sum: logarithms of all probabilities would double its time.
    true, (second, most) = wide[np.arange(len(labels)), labels], np.partition(wide, -2, axis=1)[:, -2:].T

    def loss(log_temperature: float) -> float:
        temperature = math.exp(log_temperature)
        top = most / temperature
        log_sums = np.log(np.exp(wide / temperature - top[:, None]).sum(axis=1))
        first, further = ((one / temperature - top) - log_sums for one in (true, second))
        return float(-first.sum() - further.mean())

    bounds = (math.log(COLDEST), math.log(HOTTEST))
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x)
