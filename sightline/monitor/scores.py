"""The numbers by which the traffic is compared with the reference, and the bins into which they fall."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sightline.heads.amounts import amount_names
from sightline.heads.known import of
from sightline.models.foreign import statistics_names
from sightline.monitor.shift import BOXES, EMBEDDING, SOFTMAX, STATISTICS, compare

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.evaluate.reference import Reference

    Floats = NDArray[np.floating]

MOST_CLASSES = 16
"""Classes of which each probability is a score; of more classes these many fixed sums of them."""
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
"""Of the reference, below the ends of the bins: narrow ones where rare images fall."""
FOREMOST, FARTHEST = 3, 50.0
"""Scores by which the most shifted images are found, and where an image is far enough out in one."""


class Described(Protocol):
    """What is known of N images, in the traffic as in the reference."""

    @property
    def probabilities(self) -> Floats:
        """(N, C)."""

    @property
    def features(self) -> Floats:
        """(N, F)."""

    @property
    def statistics(self) -> Floats:
        """(N, S)."""

    @property
    def boxes(self) -> Floats:
        """(N, B), or (…, 0) where answers have none."""

    @property
    def energy(self) -> Floats:
        """(N,)."""

    @property
    def foreign(self) -> Floats:
        """(N,)."""


@dataclass(frozen=True)
class Scores:
    """K numbers of each image: how they are made, and how those of the reference lie."""

    names: tuple[str, ...]
    groups: NDArray[np.str_]
    """(K,) softmax, embedding, statistics or boxes."""
    directions: Floats
    mixing: Floats
    """(C, R) from probabilities to scores."""
    tells_foreign: bool
    ends: Floats
    """(B - 1, K) upper ends of the bins but the last, …"""
    ties: Floats
    """… and where an image with just that number falls: below where its own draw is less."""
    gaps: NDArray[np.int64]
    """(K, B) of the reference in each bin."""
    task: str
    sorted: Floats
    """(M, K) of the reference, one image of each group, each score in order."""

    @classmethod
    def of(cls, reference: Reference) -> Scores:
        """Those of a reference."""
        known, classes = reference.probabilities.shape[1], reference.known
        few = known <= MOST_CLASSES
        mixing = np.eye(known) if few else np.random.default_rng(0).normal(size=(known, MOST_CLASSES))
        tells = bool(np.isfinite(reference.foreign).all())
        soft = list(classes) if few else [f"mixture {number + 1}" for number in range(MOST_CLASSES)]
        statistics = statistics_names(reference.statistics.shape[1])
        parts = {
            SOFTMAX: [*(f"probability of {name}" if few else name for name in soft), "confidence", "energy"],
            EMBEDDING: [
                *(f"component {number + 1}" for number in range(reference.directions.shape[1])),
                *(["foreign"] if tells else []),
            ],
            STATISTICS: list(statistics),
            BOXES: list(amount_names(classes)) if reference.boxes.shape[1] else [],
        }
        groups = np.array([group for group, names in parts.items() for _ in names])
        nothing = np.empty((0, len(groups)))
        found = cls(
            names=tuple(name for names in parts.values() for name in names),
            groups=groups,
            directions=reference.directions,
            mixing=mixing,
            tells_foreign=tells,
            ends=nothing,
            ties=nothing,
            gaps=np.empty((len(groups), 0), dtype=np.int64),
            task=reference.task,
            sorted=nothing,
        )
        return found._placed(found.of_images(reference)[reference.apart])

    def _placed(self, values: Floats) -> Scores:
        """With the bins that the scores (M, K) of exchangeable images of the reference make."""
        images = len(values)
        draws = np.broadcast_to(np.random.default_rng(1).random(images)[:, None], values.shape)
        order = np.lexsort((draws, values), axis=0)
        lined, drawn = np.take_along_axis(values, order, axis=0), np.take_along_axis(draws, order, axis=0)
        places = np.unique(np.clip(np.round(np.array(SHARES) * (images + 1)), 1, images).astype(np.int64))
        gaps = np.diff(np.concatenate([[0], places, [images + 1]]))
        return Scores(
            names=self.names,
            groups=self.groups,
            directions=self.directions,
            mixing=self.mixing,
            tells_foreign=self.tells_foreign,
            ends=lined[places - 1],
            ties=drawn[places - 1],
            gaps=np.broadcast_to(gaps, (len(self.names), len(gaps))),
            task=self.task,
            sorted=lined,
        )

    def of_images(self, images: Described) -> Floats:
        """(N, K)."""
        probabilities = np.asarray(images.probabilities, dtype=np.float64)
        parts = [
            probabilities @ self.mixing,
            of(self.task).confidence(probabilities)[:, None],
            images.energy[:, None],
            images.features @ self.directions,
            *([images.foreign[:, None]] if self.tells_foreign else []),
            images.statistics,
            *([images.boxes] if images.boxes.shape[1] else []),
        ]
        return np.concatenate(parts, axis=1).astype(np.float32)

    def bins(self, scores: Floats, draws: Floats) -> NDArray[np.int64]:
        """The bins (N, K) into which scores (N, K) fall; draws (N,) from 0 to 1 decide where numbers are alike."""
        found = np.empty(scores.shape, dtype=np.int64)
        for column, (ends, ties) in enumerate(zip(self.ends.T, self.ties.T, strict=True)):
            values = scores[:, column]
            below, upto = np.searchsorted(ends, values, "left"), np.searchsorted(ends, values, "right")
            for first in np.unique(below[below < upto]):
                tied = (below == first) & (upto > first)
                below[tied] += np.searchsorted(ties[first : upto[tied][0]], draws[tied])
            found[:, column] = below
        return found

    def shifted(self, scores: Floats) -> Floats:
        """How far each image of a window (N, K) lies the way in which the window has shifted: (N,).

        Along the scores that shifted most, in units of half of the reference's middle 68 %.
        """
        tested = compare(self.sorted, scores, self.groups)
        most = np.argsort(tested.columns, kind="stable")[:FOREMOST]
        low, middle, high = np.quantile(self.sorted[:, most], [0.16, 0.5, 0.84], axis=0)
        away = (scores[:, most] - middle) / np.maximum((high - low) / 2, 1e-6)
        found: Floats = (np.clip(away, -FARTHEST, FARTHEST) * np.sign(away.mean(axis=0))).mean(axis=1)
        return found

    def unlike(self, scores: Floats, *, own: int = 0) -> Floats:
        """How far out the scores (N, K) lie in the reference, at their most extreme: (N,), highest where furthest.

        The least share of reference images that lie as far out, over the scores, as its negative logarithm. `own`: 1
        for images of the reference itself, which do not count beside themselves.
        """
        images = len(self.sorted)
        least = np.ones(len(scores))
        for column in range(scores.shape[1]):
            line, values = self.sorted[:, column], scores[:, column]
            below, above = np.searchsorted(line, values, "right"), images - np.searchsorted(line, values, "left")
            least = np.minimum(least, 2 * (np.minimum(below, above) - own + 1) / (images + 2))
        found: Floats = -np.log(least)
        return found
