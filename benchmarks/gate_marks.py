"""What a part of `benchmarks/gate.py` measures: a share, and the mark that it shall keep."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One share of the series."""

    what: str
    share: float
    at_most: float = 1.0
    at_least: float = 0.0

    @property
    def mark(self) -> str:
        """In words; empty where the share is only told."""
        if self.at_least > 0:
            return f"≥ {self.at_least:g}"
        return f"≤ {self.at_most:g}" if self.at_most < 1 else ""

    @property
    def met(self) -> bool:
        """Whether the share keeps its mark."""
        return self.at_least <= self.share <= self.at_most
