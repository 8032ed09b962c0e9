"""The verdict on accuracy: whether the audit sample's labels show more wrong answers than the version may give.

A bet against "it errs in `bound` of the images at most": for every error rate θ above it, a part of the stake is
multiplied by θ/bound for a wrong answer and (1-θ)/(1-bound) for a right one. While the statement holds, the expected
factor is at most 1, whatever came before, so that the wealth is evidence at any time (Waudby-Smith and Ramdas 2023).
An answer that is partly wrong multiplies by as much of both: then the same is true of the mean.
Further parts start each BLOCK labels, the j-th with 1/(j(j+1)): good months are no credit for bad ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

ALPHA = 0.01
"""Chance that a version is ever called harmful that is none."""
BEYOND = np.array([0.03, 0.06, 0.1, 0.2, 0.5])
"""Error rates among which the stake is spread evenly: the bound, and so much of the way from there to 1."""
BLOCK = 100
"""Labels between two starts."""
MOST = 1e30
"""Wealth of a stake beyond which nothing is added."""


@dataclass
class Verdict:
    """The stakes, and what came of them."""

    bound: float
    """Error that is allowed."""
    stakes: NDArray[np.float64] = field(default_factory=lambda: np.zeros(len(BEYOND)))
    labels: int = 0
    wrong: float = 0
    """What the labels lack of full figures: the wrong answers, where each is right or wrong."""
    since: str | None = None
    """Time of the image whose label showed harm."""
    parts: list[float] = field(default_factory=list)
    """What each BLOCK of labels lacks, the latest last; what a state of before told of them all is not among these."""
    fall_labels: int = 0
    """Labels by which harm was shown: from the start whose stake won, on; 0 where none is, or nobody counted …"""
    fall_wrong: float = 0
    """… and what they lack."""

    @property
    def wealth(self) -> float:
        """The evidence now."""
        starts = -(-self.labels // BLOCK)
        return float(self.stakes.mean() + 1 / (starts + 1))

    def enter(self, images: Iterable[tuple[str, float]]) -> None:
        """Bet on more labels: time of the image, and how far it was answered wrongly, 0 … 1."""
        if self.bound >= 1:
            return
        rates = self.bound + (1 - self.bound) * BEYOND
        right, all_wrong = (1 - rates) / (1 - self.bound), rates / self.bound
        for at, wrong in images:
            if self.labels % BLOCK == 0:
                start = self.labels // BLOCK + 1
                self.stakes = self.stakes + 1 / (start * (start + 1))
                self.parts.append(0.0)
            factors = (1 - wrong) * right + wrong * all_wrong
            self.stakes = np.minimum(self.stakes * factors, MOST)
            self.labels, self.wrong = self.labels + 1, self.wrong + wrong
            if self.parts:
                self.parts[-1] += float(wrong)
            if self.since is None and self.wealth >= 1 / ALPHA:
                self.since = at
                self.fall_labels, self.fall_wrong = self._won(rates)

    def _won(self, rates: NDArray[np.float64]) -> tuple[int, float]:
        """Labels from the start whose stake is the highest now, and what they lack."""
        starts = -(-self.labels // BLOCK)
        found, lacking = [(1, self.labels, self.wrong)], 0.0
        for start, part in zip(range(starts, 0, -1), reversed(self.parts), strict=False):
            lacking += part
            found.append((start, self.labels - (start - 1) * BLOCK, lacking))

        def stake(one: tuple[int, int, float]) -> float:
            start, labels, wrong = one
            powers = wrong * np.log(rates / self.bound) + (labels - wrong) * np.log((1 - rates) / (1 - self.bound))
            return float(np.logaddexp.reduce(powers) - np.log(start * (start + 1)))

        return max(found, key=stake)[1:]


def allowed(right: NDArray[Any], margin: float) -> float:
    """The error that is allowed: the upper 95 % bound (Clopper and Pearson) of that on the reference, and the margin.

    right: (N,) how far the version was right about each of independent images. Between 0 and 1 the bound is a wide
    one: no figures with that mean spread more than right and wrong do.
    """
    from scipy.stats import beta

    wrong, images = float((1 - right.astype(np.float64)).sum()), len(right)
    upper = 1.0 if wrong >= images else float(beta.ppf(0.95, wrong + 1, images - wrong))
    return min(1.0, upper + margin)
