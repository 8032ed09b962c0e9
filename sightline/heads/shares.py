"""Shares of a whole: in words, where one lies that was seen among some images, how even several are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def percent(share: float) -> str:
    """A share for a page: the number and its sign stay on one line."""
    return f"{100 * share:.1f}\u00a0%"


def wilson(right: float, n: int) -> tuple[float, float]:
    """95 % score interval (Wilson 1927) of a share, where `right` of `n` ≥ 1 images were seen to be right.

    A number that is not whole is the sum of figures of 0 … 1: none with that mean spread more than right and wrong do.
    """
    from scipy.stats import binomtest, norm

    if float(right).is_integer():
        interval = binomtest(int(right), n).proportion_ci(0.95, method="wilson")
        return float(interval.low), float(interval.high)
    z, share = float(norm.isf(0.025)), right / n
    centre, stretch = share + z * z / (2 * n), 1 + z * z / n
    half = z * (share * (1 - share) / n + (z / (2 * n)) ** 2) ** 0.5
    return (centre - half) / stretch, (centre + half) / stretch


def certainty(shares: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The negative entropy (N,) of shares (N, C), nats."""
    sure = np.clip(shares.astype(np.float64), 1e-12, 1)
    found: NDArray[np.float64] = (sure * np.log(sure)).sum(axis=1)
    return found
