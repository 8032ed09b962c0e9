"""Part 4 of `benchmarks/gate.py`: a camera that was changed, and a candidate that learned from its images."""

from __future__ import annotations

from functools import cache

import numpy as np
from gate_marks import Measured

from sightline.evaluate.paired import mcnemar_p
from sightline.params import Gate
from sightline.registry.blessing import PASSED, Bound
from sightline.registry.check_fresh import check_fresh
from sightline.registry.rules import BETTER
from sightline.registry.wealth import level

BOUND = Bound(data="", code="", weights="", release="")
NEW, DISAGREEMENT = 400, 0.06
NEW_GAIN, NEW_LOSS = 0.16, 0.04
"""80 % → 92 % on the new images."""
BEFORE = 45
"""Comparisons that were made before the new images came."""


def measure(series: int, rng: np.random.Generator) -> list[Measured]:
    """How often the check passes; told beside it, how often the comparison of all images is won as well."""
    rows = []
    for old in (361, 1000):
        fresh, both = passed(old, 0.0, series, rng)
        said = f"new camera 80 → 92 % on {NEW}, {old:,} old unchanged"
        rows.append(Measured(what=f"{said}: passes", share=fresh, at_least=0.9))
        rows.append(Measured(what=f"{said}: and is compared and better, after {BEFORE} comparisons", share=both))
    fresh, _ = passed(1000, -0.03, series, rng)
    rows.append(Measured(what="the same, 3 points lost on 1,000 old: passes", share=fresh, at_most=0.1))
    return rows


def passed(old: int, difference: float, series: int, rng: np.random.Generator) -> tuple[float, float]:
    """Share of series in which the check passes, and in which all images show the candidate better as well."""
    shares = [(DISAGREEMENT + difference) / 2, (DISAGREEMENT - difference) / 2, 1 - DISAGREEMENT]
    on_old = rng.multinomial(old, shares, size=series)[:, :2]
    on_new = rng.multinomial(NEW, [NEW_GAIN, NEW_LOSS, 1 - NEW_GAIN - NEW_LOSS], size=series)[:, :2]
    fresh = np.array([asked(old, *one.tolist(), *two.tolist()) for one, two in zip(on_old, on_new, strict=True)])
    everything = on_old + on_new
    won = mcnemar_p(everything[:, 0], everything[:, 1]) <= level(
        BEFORE, BEFORE + 1, [(BEFORE, NEW / (old + NEW))], Gate().alpha
    )
    return float(fresh.mean()), float((fresh & won).mean())


@cache
def asked(old: int, gained_old: int, lost_old: int, gained_new: int, lost_new: int) -> bool:
    """Whether the production check passes with these counts."""
    change = np.zeros(old + NEW, dtype=int)
    change[:gained_old] = 1
    change[gained_old : gained_old + lost_old] = -1
    change[old : old + gained_new] = 1
    change[old + gained_new : old + gained_new + lost_new] = -1
    number = np.arange(old + NEW)
    return check_fresh(change >= 0, change <= 0, number >= old, number, BETTER, Gate(), BOUND).verdict == PASSED
