"""Part 2 of `benchmarks/gate.py`: classes that a candidate loses while it is better elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from gate_marks import Measured

from sightline.registry.blessing import FAILED, Bound
from sightline.registry.check_slices import check_slices

if TYPE_CHECKING:
    from sightline.evaluate.metrics import BoolArray

BOUND = Bound(data="", code="", weights="", release="")
OTHERS = 5
"""Other classes beside the one that is lost."""
OTHER_IMAGES = 100
"""Of each of them."""
CUTS = 2
"""Properties by which all images are cut into thirds, as brightness and sharpness are."""
GAIN, LOSS = 0.04, 0.02
"""Shares of the other classes that are gained and lost: two points better."""


def measure(series: int, rng: np.random.Generator) -> list[Measured]:
    """How often the check blocks; a class has half as many calibration and validation images each as test images."""
    small, large = "a class of 20 test images, 100 % → 40 %", "a class of 100, 100 % → 80 %"
    return [
        Measured(what=f"{small}: blocked", share=blocked(20, 20, 0.4, series, rng), at_least=0.99),
        Measured(what=f"{large}: blocked", share=blocked(100, 100, 0.8, series, rng), at_least=0.95),
        Measured(what=f"{small}, no other held-out images: blocked", share=blocked(20, 0, 0.4, series, rng)),
        Measured(what=f"{large}, no other held-out images: blocked", share=blocked(100, 0, 0.8, series, rng)),
        Measured(what="all classes equal: blocked", share=equal(series, rng), at_most=0.01),
    ]


def blocked(tested: int, more: int, falls_to: float, series: int, rng: np.random.Generator) -> float:
    """Share of series blocked where the class has so many test images and `more` held-out ones."""
    size = tested + more
    others = OTHERS * (OTHER_IMAGES + (OTHER_IMAGES if more else 0))
    found = 0
    for _ in range(series):
        lost = rng.random(size) >= falls_to
        change = rng.choice([1, -1, 0], others, p=[GAIN, LOSS, 1 - GAIN - LOSS])
        found += asked(np.concatenate([-lost.astype(int), change]), size, tested, rng)
    return found / series


def equal(series: int, rng: np.random.Generator) -> float:
    """The same where the candidate differs by chance alone."""
    share = (GAIN + LOSS) / 2
    found = 0
    for _ in range(series):
        change = rng.choice([1, -1, 0], 40 + 2 * OTHERS * OTHER_IMAGES, p=[share, share, 1 - 2 * share])
        found += asked(change, 40, 20, rng)
    return found / series


def asked(change: np.ndarray, size: int, tested: int, rng: np.random.Generator) -> bool:
    """Whether the production check blocks; `change` (N,): 1 gained, -1 lost, the first `size` images are the class."""
    n = len(change)
    labels = np.concatenate([np.zeros(size, dtype=int), 1 + np.arange(n - size) % OTHERS])
    parts: dict[str, BoolArray] = {f"label={name}": labels == name for name in range(OTHERS + 1)}
    for cut in range(CUTS):
        thirds = rng.permutation(n) % 3
        parts |= {f"cut {cut} third {third}": thirds == third for third in range(3)}
    is_tested = (np.arange(n) < tested) | (labels > 0)
    done = check_slices(change >= 0, change <= 0, parts, ["label=0"], is_tested, np.arange(n), BOUND)
    return done.verdict == FAILED
