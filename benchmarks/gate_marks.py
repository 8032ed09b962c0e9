"""What a part of `benchmarks/gate.py` measures: a share, and the mark that it shall keep."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import beta


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One share of the series."""

    what: str
    share: float
    at_most: float = 1.0
    at_least: float = 0.0
    series: int = 0
    """How many were drawn, where the bound of the share and not the share alone must keep the mark."""

    @property
    def bound(self) -> float:
        """The 95 % bound (Clopper and Pearson 1934) on the side of the mark; the share where `series` is not given."""
        if not self.series:
            return self.share
        seen = round(self.share * self.series)
        if self.at_least > 0:
            return float(beta.ppf(0.05, seen, self.series - seen + 1)) if seen else 0.0
        return float(beta.ppf(0.95, seen + 1, self.series - seen)) if seen < self.series else 1.0

    @property
    def mark(self) -> str:
        """In words; empty where the share is only told."""
        if self.at_least > 0:
            return f"≥ {self.at_least:g}"
        return f"≤ {self.at_most:g}" if self.at_most < 1 else ""

    @property
    def met(self) -> bool:
        """Whether the share keeps its mark, beyond chance where the series are told."""
        return self.at_least <= self.bound <= self.at_most
