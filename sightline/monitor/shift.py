"""Which numbers of a window lie otherwise than in the reference: plain tests at one time, each by itself.

They are for who wants to look at a window. Asked again and again they alarm sooner or later, whatever happens: the
alarm is the business of `sightline.monitor.bet`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

SOFTMAX, EMBEDDING, STATISTICS, BOXES = "softmax", "embedding", "statistics", "boxes"
GROUPS = (SOFTMAX, EMBEDDING, STATISTICS, BOXES)
"""The last where answers have boxes."""
ENDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3)
PLACES = np.array([*ENDS, 0.5, *(1 - one for one in reversed(ENDS))])
"""Shares of all images of both, in the order of a score, below which those of the window are counted: narrow at the
ends, where a few shifted images lie."""
DRAWS, RARE, RAREST = 20_000, 0.01, 0.001
"""Windows that are drawn to know chance; the p below which they are too few, and the one down to which they tell how
fast it falls as the evidence grows."""
LEAST, MOST = 1e-15, 0.999
"""p between which tests are combined: a test that finds nothing at all must not outweigh one that does."""


@dataclass(frozen=True)
class Tested:
    """The window beside the reference."""

    p: float
    """Of all together."""
    columns: Floats
    """(K,) p of each score, by itself."""
    distances: Floats
    """(K,) largest difference of its distribution functions."""
    groups: dict[str, float]
    """group → p, corrected (Bonferroni) for the groups."""


def compare(reference: Floats, window: Floats, groups: NDArray[np.str_], weights: Floats | None = None) -> Tested:
    """Test each score, and combine: reference (M, K), window (N, K), groups (K,).

    How many images of the window lie among the lowest 0.5, 1, 2 … 99.5 % of both is hypergeometric where nothing has
    shifted; the mean logarithm of the p of these counts (Fisher's evidence) is compared with that of drawn windows.
    Scores are combined to groups, and these to one p, by Cauchy's distribution (Liu and Xie 2020), which holds nearly
    for scores that depend on one another. weights: (M,) of the reference's images, such as those that make its classes
    as frequent as the window's; it counts as as many as they are worth (Kish).
    """
    share = np.full(len(reference), 1 / len(reference)) if weights is None else weights / weights.sum()
    worth = max(1, round(float(1 / np.square(share).sum())))
    found = [_counted(line, now, share, worth) for line, now in zip(reference.T, window.T, strict=True)]
    columns = _p(np.array([counts for counts, _ in found]), worth, len(window))
    inside = {name: _together(columns[groups == name]) for name in GROUPS if (groups == name).any()}
    corrected = {name: min(1.0, p * len(inside)) for name, p in inside.items()}
    together = _together(np.array(list(inside.values())))
    return Tested(together, columns, np.array([distance for _, distance in found]), corrected)


def _counted(line: Floats, now: Floats, share: Floats, worth: int) -> tuple[NDArray[np.int64], float]:
    """Images of the window (N,) below each place, and the largest difference of the distribution functions."""
    values = np.concatenate([line, now])
    order = np.argsort(values, kind="stable")
    before = np.cumsum(np.where(order < len(line), np.append(share, np.zeros(len(now)))[order], 0.0))
    upto = np.cumsum(order >= len(line))
    # Numbers that are alike lie in no order: a place among them has its share of them.
    last = np.append(np.diff(values[order]) > 0, True)
    before, upto = before[last], upto[last]
    counts = np.interp(_places(worth, len(now)), np.append(0, before * worth + upto), np.append(0, upto))
    return counts.round().astype(np.int64), float(np.abs(before - upto / len(now)).max())


def _places(reference: int, window: int) -> NDArray[np.int64]:
    total = reference + window
    return np.clip(np.round(PLACES * total), 1, total - 1).astype(np.int64)


def _p(counts: NDArray[np.int64], reference: int, window: int) -> Floats:
    """(K,) of the counts (K, T)."""
    evidence, chance = _evidence(counts, reference, window), _chance(reference, window)
    p = 1 - np.searchsorted(chance, evidence) / (len(chance) + 1)
    seldom, hardly = np.quantile(chance, [1 - RARE, 1 - RAREST])
    # Of a few images many windows are alike; ten times rarer at one place alone is the least that ten times can be.
    tenfold = max(hardly - seldom, np.log(RARE / RAREST) / len(PLACES))
    rare = RARE * (RAREST / RARE) ** (np.maximum(evidence - seldom, 0) / tenfold)
    found: Floats = np.where(p < RARE, np.clip(rare, LEAST, RARE), p)
    return found


def _evidence(counts: NDArray[np.int64], reference: int, window: int) -> Floats:
    """(…) of the counts (…, T): the mean of their p as negative logarithms."""
    found: Floats = -np.log(_each(reference, window)[np.arange(len(PLACES)), counts]).mean(axis=-1)
    return found


@lru_cache(maxsize=16)
def _each(reference: int, window: int) -> Floats:
    """(T, N + 1) two-sided mid-p of each count below each place."""
    from scipy.stats import hypergeom

    lowest = _places(reference, window)[:, None]
    exactly = hypergeom.pmf(np.arange(window + 1), reference + window, window, lowest)
    upto = np.cumsum(exactly, axis=1)
    found: Floats = np.clip(2 * np.minimum(upto - exactly / 2, 1 - upto + exactly / 2), LEAST, 1.0)
    return found


@lru_cache(maxsize=16)
def _chance(reference: int, window: int) -> Floats:
    """(20,000,) the evidence of windows that have not shifted, in order."""
    rng, places = np.random.default_rng(0), _places(reference, window)
    counts = np.zeros((DRAWS, len(places)), dtype=np.int64)
    last, taken = 0, np.zeros(DRAWS, dtype=np.int64)
    for number, place in enumerate(places.tolist()):
        if place > last:
            taken = taken + rng.hypergeometric(window - taken, reference - (last - taken), place - last)
        counts[:, number], last = taken, place
    return np.sort(_evidence(counts, reference, window))


def _together(p: Floats) -> float:
    """Of several tests that may depend on one another."""
    return float(0.5 - np.arctan(np.tan((0.5 - np.clip(p, LEAST, MOST)) * np.pi).mean()) / np.pi)
