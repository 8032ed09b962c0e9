"""By how much one model's score is higher than another's on the same images, where no image has a figure of its own.

Average precision is such a score: it ranks the answers of all images together. What it may differ by chance follows
from a paired bootstrap over groups.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Gained:
    """Two scores, and how sure their difference is."""

    what: str
    """Name of the score in a sentence, short."""
    own: float
    other: float
    error: float
    """Standard error of the difference; 0 where nothing differs."""
    groups: int
    """Of images that belong together."""

    @property
    def difference(self) -> float:
        """The score minus that of the other."""
        return self.own - self.other

    @property
    def better(self) -> float:
        """One-sided p of "it is not higher"."""
        return self.above(0.0)

    @property
    def harm(self) -> float:
        """One-sided p of "it is not lower"."""
        return self._p(-self.difference)

    def above(self, least: float) -> float:
        """One-sided p of "the difference is `least` or less"."""
        return self._p(self.difference - least)

    def low(self, level: float) -> float:
        """The end of the difference's interval that errs with that probability."""
        from scipy.stats import t

        return self.difference - float(t.isf(level, max(1, self.groups - 1))) * self.error

    def _p(self, difference: float) -> float:
        # Never smaller than what tossing a coin for each group could give: few groups show little.
        from scipy.stats import t

        if not self.error:
            return 0.5**self.groups if difference > 0 else 1.0
        return max(0.5**self.groups, float(t.sf(difference / self.error, max(1, self.groups - 1))))

    @property
    def seen(self) -> str:
        """The difference, in words."""
        return f"{self.what} {100 * self.difference:+.1f} points"
