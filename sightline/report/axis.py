"""Axes of the plots: from values to pixels, with round numbers as ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


LEAST_RISK = 0.01
"""Share of wrong answers that a plot of them reaches to, however few there are."""


@dataclass(frozen=True)
class Axis:
    """A linear scale from `low` … `high` to the pixels `start` … `end`."""

    low: float
    high: float
    start: float
    end: float
    ticks: list[float]

    def at(self, value: float) -> float:
        """Pixel of `value`."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)


def axis(values: Sequence[float], start: float, end: float) -> Axis:
    """Axis over `values` whose ends are round ticks (1, 2 or 5 times a power of ten)."""
    found = list(values)
    low, high = min(found), max(found)
    step = _round_step(high - low or abs(high) or 1.0)
    last = math.ceil(high / step - 1e-9)
    first = min(math.floor(low / step + 1e-9), last - 1)
    ticks = [round(step * index, 12) for index in range(first, last + 1)]
    return Axis(ticks[0], ticks[-1], start, end, ticks)


def risk_axis(evaluation: Mapping[str, Any]) -> Axis:
    """Axis of the shares of wrong answers in a risk-coverage curve."""
    risks = [row["risk"] for row in evaluation["risk_coverage"]]
    # Where no answer is wrong the line lies on the bottom of a plot that could show some.
    return axis([0.0, *risks, 1 - (evaluation["abstention"]["accuracy"] or 1.0), LEAST_RISK], 282, 12)


def time_axis(values: Sequence[float], start: float, end: float) -> Axis:
    """Axis from 0 to the last of `values`, which are epochs or steps, with whole numbers as ticks."""
    high = max(1.0, *values)
    step = max(1, int(_round_step(high)))
    return Axis(0.0, high, start, end, list(range(0, int(high) + 1, step)))


def _round_step(span: float) -> float:
    """Smallest of 1, 2 or 5 times a power of ten that divides `span` into four steps at most."""
    power = 10.0 ** math.floor(math.log10(span / 4))
    return next(power * digit for digit in (1, 2, 5, 10) if power * digit >= span / 4 * 0.999)
