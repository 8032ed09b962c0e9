"""Which numbers of a window lie otherwise than in the reference: plain tests at one time, each by itself.

They are for who wants to look at a window. Asked again and again they alarm sooner or later, whatever happens: the
alarm is the business of `sightline.monitor.bet`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]

SOFTMAX, EMBEDDING, STATISTICS, BOXES = "softmax", "embedding", "statistics", "boxes"
GROUPS = (SOFTMAX, EMBEDDING, STATISTICS, BOXES)
"""The last where answers have boxes."""


@dataclass(frozen=True)
class Tested:
    """The window beside the reference."""

    columns: Floats
    """(K,) p of each score, by itself."""
    distances: Floats
    """(K,) largest difference of its distribution functions."""
    groups: dict[str, float]
    """group → p, corrected (Bonferroni) for its scores and for the groups."""

    @property
    def p(self) -> float:
        """Of all together."""
        return min(self.groups.values())


def compare(reference: Floats, window: Floats, groups: NDArray[np.str_], weights: Floats | None = None) -> Tested:
    """Kolmogorov and Smirnov's two-sample test of each score: reference (M, K), window (N, K), groups (K,).

    weights: (M,) of the reference's images, such as those that make its classes as frequent as the window's.
    """
    found = [_ks(reference[:, place], window[:, place], weights) for place in range(reference.shape[1])]
    distances, columns = np.array(found, dtype=np.float64).T
    inside = {name: columns[groups == name] for name in GROUPS if (groups == name).any()}
    corrected = {name: float(min(1.0, values.min() * len(values) * len(inside))) for name, values in inside.items()}
    return Tested(columns, distances, corrected)


def _ks(reference: Floats, window: Floats, weights: Floats | None) -> tuple[float, float]:
    """Largest difference and p of the test; a weighted sample counts as as many as its weights are worth (Kish)."""
    from scipy.special import kolmogorov

    share = np.full(len(reference), 1 / len(reference)) if weights is None else weights / weights.sum()
    order = np.argsort(reference, kind="stable")
    line, mass = reference[order], np.concatenate([[0.0], np.cumsum(share[order])])
    points = np.unique(np.concatenate([reference, window]))
    before = mass[np.searchsorted(line, points, "right")]
    now = np.searchsorted(np.sort(window), points, "right") / len(window)
    worth = 1 / np.square(share).sum()
    size = np.sqrt(worth * len(window) / (worth + len(window)))
    # Stephens' correction: close to the exact p from a few images on.
    distance = float(np.abs(before - now).max())
    return distance, float(kolmogorov((size + 0.12 + 0.11 / size) * distance))
