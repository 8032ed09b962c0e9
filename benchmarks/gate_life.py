"""Part 3 of `benchmarks/gate.py`: the life of a model, a candidate a night for a year.

Half of the candidates are truly 0.5 point worse than the champion, half equal to it. Drawn independently: candidates
alike would err together, hence in fewer lives. In lives with improvement the candidates of 14 nights in each quarter
are truly better, and alike: half of what they gain and lose are the same images, until one of them is promoted.
Releases that grow get a fifth of 300 labels a month, whenever these are enough for the production rule.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from gate_marks import Measured
from scipy.stats import binom

from sightline.evaluate.paired import mcnemar_p, sign_flip
from sightline.evaluate.release import GROWTH
from sightline.params import Gate
from sightline.registry.ledger import Ledger
from sightline.registry.rules import HARM
from sightline.registry.wealth import level

if TYPE_CHECKING:
    from sightline.evaluate.metrics import BoolArray, FloatArray, IntArray

NIGHTS, WORSE, WINDOW, ALIKE = 365, 0.005, 14, 0.5
BETTER_FROM = (45, 136, 227, 318)
"""Nights on which the better candidates of a quarter begin to come."""
MONTH, MONTHLY = 28, 60
"""Nights between labels, and how many test images come with them where a release grows."""
PHOTOS, CHANGED = 12, 0.5
"""Images of a group, and the share of them that change where the models dispute its object."""
FAMILY = Gate().alpha


def measure(series: int, rng: np.random.Generator) -> list[Measured]:
    """Any worse one that ships, nights refused unseen, and how soon a better one is promoted."""
    rows = [Measured(what="nights of a year refused unseen", share=unseen(), at_most=0.0)]
    for n in (360, 1000, 5000):
        for differ in (0.04, 0.06, 0.08):
            rows += null(Kind(n=n, disagreement=differ), series, rng)
        rows += null(Kind(n=n, disagreement=0.06, photos=PHOTOS), series, rng)
        rows += null(Kind(n=n, disagreement=0.06, monthly=MONTHLY), series, rng)
    for n, gain in ((1000, 0.03), (360, 0.05)):
        for differ in (0.06, 0.08):
            rows += improving(Kind(n=n, disagreement=differ, gain=gain), series, rng)
    return rows


def null(kind: Kind, series: int, rng: np.random.Generator) -> list[Measured]:
    """Lives in which no candidate is better."""
    lived = live(kind, series, rng)
    said = f"n = {kind.n:,}, {kind.disagreement:.0%} differ, groups of {kind.photos}"
    said += f", {kind.monthly} more a month" if kind.monthly else ""
    return [
        Measured(what=f"{said}: a worse one ships in a year", share=lived.worse, at_most=0.05),
        Measured(what=f"{said}: a worse or equal one ships in a year", share=lived.wrong, at_most=0.05),
    ]


def improving(kind: Kind, series: int, rng: np.random.Generator) -> list[Measured]:
    """Lives in which a better one comes each quarter; the quarter in which it is promoted least often."""
    lived = live(kind, series, rng)
    said = f"n = {kind.n:,}, {kind.disagreement:.0%} differ, +{100 * kind.gain:g} points a quarter"
    return [
        Measured(what=f"{said}: promoted within {WINDOW} nights", share=min(lived.promoted), at_least=0.6),
        Measured(what=f"{said}: a worse one ships in a year", share=lived.worse, at_most=0.05),
    ]


def unseen() -> float:
    """Share of the nights on which a real ledger gives no place, or a place at which nothing could be won."""
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(f"sqlite:///{Path(folder) / 'ledger.db'}")
        places = [
            ledger.comparisons.spend("m", "r1", str(night + 1), "1", "better", night) for night in range(1, NIGHTS + 1)
        ]
        ledger.close()
    before, after = np.array(places).T
    return float(np.mean(level(before, after, [], FAMILY) <= 0))


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What the lives have in common."""

    n: int
    """Test images; half as many validation images."""
    disagreement: float
    """Share of the images on which candidate and champion differ."""
    gain: float = 0.0
    """Of the better candidates; none come where it is 0."""
    photos: int = 1
    """Images of a group."""
    monthly: int = 0
    """Test images that come each month."""

    @property
    def values(self) -> IntArray:
        """What a group may gain: from the highest to the lowest, so that reversed is negated."""
        upwards = np.arange(1, self.photos + 1)
        return np.concatenate([upwards[::-1], -upwards])

    def draw(self, images: int, truth: FloatArray, scale: FloatArray, rng: np.random.Generator) -> IntArray:
        """How many groups gain each of the `values`, (lives, V), of candidates with the true differences (lives,)."""
        changed = CHANGED if self.photos > 1 else 1.0
        size = binom.pmf(np.arange(1, self.photos + 1), self.photos, changed)
        up, down = ((self.disagreement + side * truth) / 2 / changed * scale for side in (1, -1))
        shares = np.concatenate([up[:, None] * size[::-1], down[:, None] * size], axis=1)
        left = 1 - shares.sum(axis=1, keepdims=True)
        return rng.multinomial(images // self.photos, np.concatenate([shares, left], axis=1))[:, :-1]

    def p(self, counts: IntArray, where: BoolArray) -> FloatArray:
        """One-sided p of "not better" (lives,) by the production test; 1 outside `where`, and where z is below 1.5.

        The gate asks for no p so large.
        """
        if self.photos == 1:
            return np.where(where, mcnemar_p(counts[:, 0], counts[:, 1]), 1.0)
        p = np.ones(len(counts))
        z = counts @ self.values / np.sqrt(np.maximum(counts @ self.values**2, 1))
        for life in np.flatnonzero(where & (z >= 1.5)).tolist():
            p[life] = sign_flip(np.repeat(self.values, counts[life]))
        return p


@dataclass(frozen=True, kw_only=True)
class Lived:
    """Shares of the lives."""

    worse: float
    """A worse candidate was promoted."""
    wrong: float
    """One was promoted that is not better."""
    promoted: tuple[float, ...]
    """By quarter: a better candidate was promoted within its nights."""


def live(kind: Kind, lives: int, rng: np.random.Generator) -> Lived:
    """Live all nights of so many lives.

    As `judge` asks: nothing is spent where harm is shown, or where validation does not favour the candidate.
    """
    places, waits = np.zeros(lives, dtype=np.int64), np.zeros(lives, dtype=bool)
    n, came = kind.n, 0
    earned: list[tuple[IntArray, FloatArray]] = []
    shipped = {"worse": waits.copy(), "wrong": waits.copy()}
    promoted = []
    alike: IntArray = np.zeros((lives, len(kind.values)), dtype=np.int64)
    for night in range(NIGHTS):
        came += kind.monthly if night % MONTH == MONTH - 1 else 0
        if came and came >= GROWTH * n:
            n += came
            earned.append((places, np.full(lives, came / n)))
            came = 0
        if kind.gain and night in BETTER_FROM:
            waits = np.ones(lives, dtype=bool)
            alike = kind.draw(n, np.full(lives, kind.gain), np.full(lives, ALIKE), rng)
        worse = ~waits & (rng.random(lives) < 0.5)
        truth = np.where(waits, kind.gain, np.where(worse, -WORSE, 0.0))
        counts = kind.draw(n, truth, np.where(waits, 1 - ALIKE, 1.0), rng) + np.where(waits[:, None], alike, 0)
        asked = favoured(kind, truth, rng)
        asked &= kind.p(counts[:, ::-1], asked) > HARM
        before, places = places, np.where(asked, night + 1, places)
        won = asked & (kind.p(counts, asked) <= level(before, places, earned, FAMILY))
        if won.any():
            earned.append((places, won.astype(float)))
        shipped["worse"] |= won & worse
        shipped["wrong"] |= won & ~waits
        waits &= ~won
        if kind.gain and night + 1 - WINDOW in BETTER_FROM:
            promoted.append(1 - float(waits.mean()))
            waits = np.zeros(lives, dtype=bool)
    shares = {name: float(those.mean()) for name, those in shipped.items()}
    return Lived(**shares, promoted=tuple(promoted))


def favoured(kind: Kind, truth: FloatArray, rng: np.random.Generator) -> BoolArray:
    """Whether validation favours the candidates; where they are right equally often log loss decides, here a coin."""
    found = kind.draw(kind.n // 2, truth, np.ones(len(truth)), rng) @ kind.values
    is_favoured: BoolArray = (found > 0) | ((found == 0) & (rng.random(len(truth)) < 0.5))
    return is_favoured
