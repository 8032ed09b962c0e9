"""The rule about cost: blocks what is shown to be slower than allowed, or needs more memory."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from sightline.registry.blessing import COST, NO_CHAMPION, NOT_APPLICABLE, Blessing
from sightline.registry.rules import blessed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.evaluate.cost import Rivals
    from sightline.registry.blessing import Bound

DEARER = 1.1
"""Latency and memory may be so many times the champion's."""
ALPHA = 0.001
"""Chance that the interval of the latency lies beyond the truth on one side."""


def check_cost(found: Rivals | None, bound: Bound) -> Blessing:
    """Whether latency is not shown, and memory not seen, to be more than 1.1 times the champion's."""
    if found is None:
        return blessed(COST, NOT_APPLICABLE, NO_CHAMPION, {}, bound)
    ratio, (low, high) = float(np.median(found.ratios)), median_interval(found.ratios, ALPHA)
    larger = found.candidate.memory_mb / found.champion.memory_mb
    figures = {
        "candidate": asdict(found.candidate),
        "champion": asdict(found.champion),
        "latency": {"ratio": ratio, "low": low, "high": high, "blocks": len(found.ratios)},
        "memory_ratio": larger,
        "limit": DEARER,
    }
    said = (
        f"an answer takes {ratio:.2f} × the champion's time ({low:.2f} … {high:.2f}) "
        f"and {larger:.2f} × its memory; {DEARER:g} × is allowed"
    )
    return blessed(COST, "passed" if max(low, larger) <= DEARER else "failed", said, figures, bound)


def median_interval(values: Sequence[float], alpha: float) -> tuple[float, float]:
    """Where the median lies of what `values` are draws of; either end alone errs with probability `alpha` at most.

    By order statistics, so that nothing is assumed of their distribution (Conover 1999, chapter 3.2); 0 and infinity
    where there are too few to bound it.
    """
    from scipy.stats import binom

    count = len(values)
    below = int(np.sum(binom.cdf(np.arange(count), count, 0.5) <= alpha))
    if not below:
        return 0.0, float("inf")
    ordered = sorted(values)
    return ordered[below - 1], ordered[count - below]
