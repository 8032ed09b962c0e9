"""Paired comparison by group: champion and candidate answered the same images, and images of one group err together.

Everything rests on what each group gains or loses as a whole. Where both models are equal, every group could as well
have turned out the other way round, so that its sign is a fair coin toss (Fisher's sign-flip test).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.evaluate.metrics import BoolArray, Figures, FloatArray, IntArray

ENUMERABLE = 16
"""Groups with sums that are no whole numbers up to which all signs are tried."""
DRAWS = 100_000
"""Draws of signs beyond that, from a fixed seed."""
ROUNDING = 1e-9
CHUNK = 2**23
"""Coins that are tossed at a time."""


@dataclass(frozen=True, kw_only=True)
class Paired:
    """Two models on the same images."""

    right: float
    """Images that the candidate answers rightly; or the sum of its figures, where each image has one of 0 … 1."""
    gained: float
    """Those that the other gets wrong; or by how much its figures are higher in all, where they are."""
    lost: float
    """Images that only the other answers rightly; or by how much its figures are lower in all."""
    sums: IntArray | FloatArray
    """(G,) gained minus lost of each group."""
    sizes: IntArray
    """(G,) images of each group."""

    @property
    def images(self) -> int:
        """How many images both answered."""
        return int(self.sizes.sum())

    @property
    def accuracy(self) -> float:
        """Share that the candidate answers rightly."""
        return self.right / self.images

    @property
    def other(self) -> float:
        """Share that the other answers rightly."""
        return (self.right - self.gained + self.lost) / self.images

    @property
    def difference(self) -> float:
        """Accuracy of the candidate minus that of the other."""
        return (self.gained - self.lost) / self.images

    @property
    def disagreement(self) -> float:
        """Share of the images on which exactly one is right."""
        return (self.gained + self.lost) / self.images

    @property
    def better(self) -> float:
        """One-sided p of "the candidate is not better"; for single images McNemar's exact test."""
        return sign_flip(self.sums)

    @property
    def harm(self) -> float:
        """One-sided p of "the candidate is not worse"."""
        return sign_flip(-self.sums)

    @property
    def seen(self) -> str:
        """What was gained and lost, in words."""
        return f"{number(self.gained)} gained, {number(self.lost)} lost of {self.images:,} images"

    @property
    def least(self) -> float:
        """The smallest p that so many groups with a difference can give; known without knowing who gained."""
        return 0.5 ** int(np.count_nonzero(self.sums))

    @property
    def inflation(self) -> float:
        """How many images say as much as one that is independent: design effect of the differences (Kish 1965).

        One more disputed group, answered all alike, is counted in: a handful of disputed groups cannot show that the
        images of a group are independent.
        """
        # Of figures between 0 and 1 the differences spread less than this takes them to: never too few are asked for.
        alike = float((self.sizes**2).sum() / self.sizes.sum())
        return max(1.0, (float((self.sums**2).sum()) + alike**2) / (self.gained + self.lost + alike))

    @property
    def independent(self) -> int:
        """How many independent images would say as much."""
        return max(1, round(self.images / self.inflation))


def paired(other: Figures, candidate: Figures, groups: IntArray | None = None) -> Paired:
    """Compare right answers (N,), or figures of 0 … 1, of two models on the same images; N ≥ 1.

    groups: (N,) images of one number belong together; by default each stands alone.
    """
    numbers = np.arange(len(candidate)) if groups is None else groups
    sizes = np.unique(numbers, return_counts=True)[1]
    if not candidate.dtype == other.dtype == np.bool_:
        differences = candidate.astype(np.float64) - other.astype(np.float64)
        # What differs by rounding alone does not differ.
        differences[np.abs(differences) < ROUNDING] = 0.0
        gained, lost = (float((side * differences).clip(min=0).sum()) for side in (1, -1))
        sums = group_sums(differences, numbers)
        return Paired(right=float(candidate.sum()), gained=gained, lost=lost, sums=sums, sizes=sizes)
    right = candidate.astype(np.int64) - other.astype(np.int64)
    return Paired(
        right=int(candidate.sum()),
        gained=int((right > 0).sum()),
        lost=int((right < 0).sum()),
        sums=np.rint(group_sums(right, numbers)).astype(np.int64),
        sizes=sizes,
    )


def number(value: float) -> str:
    """A number of images, or a sum of figures, for people."""
    return f"{value:.1f}" if isinstance(value, float) else str(value)


def group_sums(values: NDArray[np.number], groups: IntArray) -> FloatArray:
    """Sum of the `values` (N,) in each group, (G,), in the order of the groups' numbers (N,)."""
    _, place = np.unique(groups, return_inverse=True)
    sums: FloatArray = np.bincount(place, weights=values).astype(np.float64)
    return sums


def sign_flip(sums: IntArray | FloatArray) -> float:
    """One-sided p of "the sum is not above 0", where each of the `sums` (G,) of a group is as likely as its negative.

    Exact for whole numbers and for at most 16 groups; else from 100,000 draws of signs, the sums seen counted in.
    """
    present = sums[sums != 0]
    if not len(present):
        return 1.0
    if np.issubdtype(present.dtype, np.integer):
        return _exact(present)
    if len(present) <= ENUMERABLE:
        kept = (np.arange(2 ** len(present))[:, None] >> np.arange(len(present))) & 1
        return float(np.mean(_reached(kept, present)))
    return _drawn(present)


def mcnemar_p(gained: IntArray, lost: IntArray) -> FloatArray:
    """`sign_flip` for single images, on counts of any shape: the chance of so many gains or more by fair coins.

    Exact one-sided test of McNemar (1947).
    """
    from scipy.stats import binom

    p: FloatArray = np.asarray(binom.sf(gained - 1, gained + lost, 0.5))
    return p


def _exact(sums: IntArray) -> float:
    """Distribution of the gains: groups of one size of difference toss binomially, and sizes add up by convolution."""
    from scipy.stats import binom

    sizes, counts = np.unique(np.abs(sums), return_counts=True)
    gained = int(sums[sums > 0].sum())
    if len(sizes) == 1:
        won = gained // sizes
        return float(mcnemar_p(won, counts - won)[0])
    chances = np.ones(1)
    for size, count in zip(sizes.tolist(), counts.tolist(), strict=True):
        steps = np.zeros(size * count + 1)
        steps[::size] = binom.pmf(np.arange(count + 1), count, 0.5)
        chances = np.convolve(chances, steps)
    return min(1.0, float(chances[gained:].sum()))


def _drawn(sums: FloatArray) -> float:
    rng = np.random.default_rng(0)
    at_once = max(1, CHUNK // len(sums))
    reached, left = 0, DRAWS
    while left:
        draws = min(left, at_once)
        bits = np.frombuffer(rng.bytes(-(-draws * len(sums) // 8)), dtype=np.uint8)
        reached += int(_reached(np.unpackbits(bits, count=draws * len(sums)).reshape(draws, -1), sums).sum())
        left -= draws
    return (1 + reached) / (1 + DRAWS)


def _reached(kept: NDArray[np.integer], sums: FloatArray) -> BoolArray:
    """For each row of `kept`, 1 where a group counts as gained: whether it gains what was seen or more."""
    sizes = np.abs(sums).astype(np.float32)
    found: BoolArray = kept.astype(np.float32) @ sizes >= float(sums[sums > 0].sum()) - 1e-6 * float(sizes.sum())
    return found
