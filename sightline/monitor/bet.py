"""The bet against "the traffic is like the reference": a conformal test martingale over ranks.

A reference of m scores cuts the line into m + 1 gaps, which are put together to bins. While reference and traffic are
exchangeable, the next score falls into bin b with probability p(b) = (s(b) + N(b)) / (m + 1 + t), where s(b) are its
gaps and N(b) the scores that fell there among the t before: Pólya's urn, exactly. Whoever bets on other frequencies q
multiplies the stake by ½ + ½ q/p, and by Ville's inequality the wealth ever reaches 100 in one case of a hundred at
most (Vovk, Nouretdinov and Gammerman 2003; Volkhonskiy et al. 2017).

The stake is spread over scores, over how far back q looks, and over starts: one each BLOCK images, the j-th with
1/(j(j+1)) of it, so that a late change is not held against a long calm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

HALF_LIVES = (10.0, 20.0, 50.0, 200.0)
"""Images back at which an observation counts half for q."""
BLOCK = 250
"""Images between two starts."""
PRIOR = 3.0
"""Images' worth of p in q: what has not been seen yet is not ruled out."""
MOST = 1e30
"""Wealth of a stake beyond which nothing is added: giving away is always allowed."""
DECAY = 0.5 ** (1 / np.array(HALF_LIVES))
AGES = len(HALF_LIVES)


@dataclass
class Bet:
    """The stakes over K scores, of S streams that are independent of one another (one, but for simulations).

    What it becomes depends on the images alone, not on the parts in which they come.
    """

    gaps: NDArray[np.float64]
    """(K, B) of the reference, in each bin of each score."""
    counts: NDArray[np.float64]
    """(S·K·B, AGES + 1) faded number of scores in each bin, by age, and the whole number; scaled as the block began."""
    stakes: NDArray[np.float64]
    """(S, K, AGES)"""
    starts: int = 0
    entered: int = 0
    """Images so far."""
    drawn: int = 0
    """Those among them that are in the urn: all since the bet began, or began anew."""

    @classmethod
    def new(cls, gaps: NDArray[np.integer], streams: int = 1) -> Bet:
        """Before the first image; gaps: (K, B)."""
        scores, bins = gaps.shape
        counts = np.zeros((streams * scores * bins, AGES + 1))
        return cls(gaps.astype(np.float64), counts, np.zeros((streams, scores, AGES)))

    @property
    def wealth(self) -> NDArray[np.float64]:
        """(S,) now; it began with 1."""
        found: NDArray[np.float64] = self.stakes.mean(axis=(1, 2)) + 1 / (self.starts + 1)
        return found

    def rearm(self) -> None:
        """Begin anew with a wealth of 1, against the reference alone.

        What was seen leaves the urn. With an incident in it, the next statement would be "the traffic is like the
        reference and the incident": traffic that has come back to the reference would raise the next alarm, and a shift
        that lasts would not.
        """
        self.stakes[:], self.counts[:] = 0.0, 0.0
        self.starts = self.drawn = 0

    def enter(self, bins: NDArray[np.integer]) -> NDArray[np.float64]:
        """Bet on T more images, whose scores fell into these bins (T, S, K); the wealth (T, S) after each."""
        found = np.empty(bins.shape[:2])
        start = 0
        while start < len(bins):
            end = min(len(bins), start + BLOCK - self.drawn % BLOCK)
            found[start:end] = self._block(bins[start:end])
            start = end
        return found

    def _block(self, bins: NDArray[np.integer]) -> NDArray[np.float64]:
        images, streams, scores = bins.shape
        if self.drawn % BLOCK == 0:
            self.starts += 1
            self.stakes += 1 / (self.starts * (self.starts + 1))
        before = self._counted(bins.reshape(images, -1)).reshape(images, streams, scores, AGES + 1)
        time = self.drawn + np.arange(images)
        gaps = np.take_along_axis(self.gaps.T[None], bins.transpose(1, 0, 2), axis=1).transpose(1, 0, 2)
        total = self.gaps.sum(axis=1) + time[:, None, None]
        odds = ((gaps + before[..., -1]) / total)[..., None]
        seen = (1 - DECAY ** time[:, None]) / (1 - DECAY)
        believed = (before[..., :-1] + PRIOR * odds) / (seen + PRIOR)[:, None, None]
        # One after the other, as cumprod goes: the same product wherever a part of the images ended.
        factors = np.concatenate([self.stakes[None], 0.5 + 0.5 * believed / odds])
        with np.errstate(over="ignore"):
            stakes = np.minimum(np.cumprod(factors, axis=0), MOST)[1:]
        self.stakes = stakes[-1].copy()
        self.entered += images
        self.drawn += images
        if self.drawn % BLOCK == 0:
            self.counts[:, :-1] *= DECAY**BLOCK
        wealth: NDArray[np.float64] = stakes.mean(axis=(2, 3)) + 1 / (self.starts + 1)
        return wealth

    def _counted(self, bins: NDArray[np.integer]) -> NDArray[np.float64]:
        """What was counted in the bin (T, S·K) of each score before it fell there: (T, S·K, AGES + 1)."""
        first = self.drawn % BLOCK
        place = bins + np.arange(bins.shape[1]) * self.gaps.shape[1]
        since = first + np.arange(len(bins))[:, None]
        # Instead of fading all that was counted at every step, what is new weighs more.
        weights = np.concatenate([DECAY ** -(since + 1), np.ones_like(since)], axis=1)
        found, counts = np.empty((*bins.shape, AGES + 1)), self.counts
        for row, (where, weight) in enumerate(zip(place, weights, strict=True)):
            seen = counts[where]
            found[row] = seen
            counts[where] = seen + weight
        found[..., :-1] *= (DECAY**since)[:, None]
        return found
