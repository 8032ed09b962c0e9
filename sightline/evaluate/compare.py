"""The paired statistics of the gate: champion and candidate answered the same test images.

All of them rest on the two kinds of images on which the models differ: *gained* (only the candidate is right) and
*lost* (only the champion is right). Tests by group stand in `paired`.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.evaluate.metrics import BoolArray, FloatArray, IntArray
    from sightline.evaluate.paired import Paired

POINT = 0.01
"""The gain that a release must be able to show: one point of accuracy."""
MOST_IMAGES = 10**7


def discordant(champion_right: BoolArray, candidate_right: BoolArray) -> tuple[int, int]:
    """How many images are gained, and how many lost; both arrays are (N,), in the same order of images."""
    gained = int(np.sum(candidate_right & ~champion_right))
    lost = int(np.sum(champion_right & ~candidate_right))
    return gained, lost


@dataclass(frozen=True, kw_only=True)
class NoWorse:
    """Verdict of the rule `no_worse`, with its figures as shares of the images."""

    difference: float
    """Accuracy of the candidate minus that of the champion."""
    low: float
    high: float
    """Ends of the interval; each end alone errs with probability alpha."""
    p: float
    """One-sided p of "worse by the margin or more"."""
    passed: bool
    """p ≤ alpha, which says the same as low > -margin."""


def no_worse(pair: Paired, margin: float, alpha: float) -> NoWorse:
    """Whether the candidate is worse by less than `margin` (a share, above 0), shown at level `alpha`.

    Score interval of a paired difference (Tango 1998, Statistics in Medicine 17); images of one group count for as many
    as are independent (Rao and Scott 1992, Biometrics 48).
    """
    gained, lost, images = _independent(pair)
    p = float(no_worse_p(np.array(gained), np.array(lost), images, margin))
    low, high = interval(pair, alpha)
    return NoWorse(difference=pair.difference, low=low, high=high, p=p, passed=p <= alpha)


def interval(pair: Paired, alpha: float) -> tuple[float, float]:
    """`difference_interval` by group."""
    return difference_interval(*_independent(pair), alpha)


def _independent(pair: Paired) -> tuple[float, float, float]:
    """Gained, lost and all images, as many as are independent."""
    return pair.gained / pair.inflation, pair.lost / pair.inflation, pair.images / pair.inflation


def no_worse_p(gained: IntArray | FloatArray, lost: IntArray | FloatArray, n: float, margin: float) -> FloatArray:
    """`no_worse` on counts of any shape, each out of `n` images: the p alone."""
    from scipy.stats import norm

    p: FloatArray = np.asarray(norm.sf(_score(gained, lost, n, -margin)))
    return p


def difference_interval(gained: float, lost: float, n: float, alpha: float) -> tuple[float, float]:
    """Tango's score interval of (gained - lost) / n; each end alone errs with probability `alpha`."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    seen = (gained - lost) / n
    z = float(norm.isf(alpha))

    def end(side: int) -> float:
        if seen == side:
            return float(side)
        inner = side * (1 - 1e-9)  # at ±1 itself the score is 0 / 0
        return float(brentq(lambda d: float(_score(np.array(gained), np.array(lost), n, d)) + side * z, seen, inner))

    return end(-1), end(+1)


def _score(gained: IntArray | FloatArray, lost: IntArray | FloatArray, n: float, difference: float) -> FloatArray:
    """Tango's statistic: standard normal where `difference` is the true one, falling as `difference` rises."""
    a = 2 * n
    b = (a - gained + lost) * difference - gained - lost
    c = -lost * difference * (1 - difference)
    share_lost = (np.sqrt(b * b - 4 * a * c) - b) / (2 * a)  # most likely one under this difference
    deviation = np.sqrt(n * np.maximum(2 * share_lost + difference * (1 - difference), 0))
    distance = gained - lost - n * difference
    score: FloatArray = np.divide(distance, deviation, out=np.zeros(distance.shape), where=deviation > 0)
    return score


@cache
def power(n: int, disagreement: float, alpha: float, gain: float = POINT) -> float:
    """Chance that `mcnemar_p` gives p ≤ `alpha` for a candidate that is truly better by `gain`, exact to 1e-9.

    `disagreement`: share of the `n` images on which exactly one model is right. Below `gain` no such candidate exists,
    and `gain` is taken.
    """
    from scipy.stats import binom

    share = max(disagreement, gain)
    pairs = np.arange(binom.ppf(1e-10, n, share), binom.isf(1e-10, n, share) + 1)
    most_by_chance = binom.isf(alpha, pairs, 0.5)
    shown = binom.sf(most_by_chance, pairs, (share + gain) / (2 * share))
    return float(np.sum(binom.pmf(pairs, n, share) * shown))


@cache
def images_needed(disagreement: float, alpha: float, least: float = 0.5, gain: float = POINT) -> int:
    """How many test images show a `gain` in that share of cases at that disagreement; at most ten million."""
    return bisect_left(range(MOST_IMAGES), x=True, key=lambda n: power(n, disagreement, alpha, gain) >= least)


def attainable(least: Sequence[float], family: float) -> list[bool]:
    """Which hypotheses can fall at all, where `least` is the smallest p that each can reach.

    Tarone 1990, Biometrics 46. `least` must not depend on who gained. The others need no share of the `family`.
    """
    number = next(k for k in range(1, len(least) + 2) if sum(p <= family / k for p in least) <= k)
    return [p <= family / number for p in least]


def holm(pvalues: Sequence[float], family: float = 0.05) -> list[bool]:
    """Which hypotheses fall (Holm 1979), in the order given: any false one among them with probability `family`."""
    fallen = [False] * len(pvalues)
    for step, index in enumerate(np.argsort(pvalues, kind="stable")):
        if pvalues[index] > family / (len(pvalues) - step):
            break
        fallen[index] = True
    return fallen
