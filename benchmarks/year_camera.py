"""The camera of `benchmarks/year.py`, its images as features, and the linear heads that learn them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import convolve
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from sightline.evaluate.reference import COMPONENTS, Reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

UNITS, NOISE = 300, 0.01
DIGITS = load_digits()
WEIGHTS = np.random.default_rng(7).normal(size=(64, UNITS)) / 8, np.random.default_rng(8).normal(size=UNITS) / 2


@dataclass(frozen=True)
class Images:
    """What is computed once of each image."""

    features: Floats
    statistics: Floats
    labels: NDArray[np.int64]

    def rows(self, places: NDArray[Any]) -> Images:
        """Some of them."""
        return Images(self.features[places], self.statistics[places], self.labels[places])

    def __add__(self, other: Images) -> Images:
        names = ("features", "statistics", "labels")
        return Images(*(np.concatenate([getattr(self, name), getattr(other, name)]) for name in names))


def camera(count: int, shares: Floats, rng: np.random.Generator, *, lens: bool) -> Images:
    """Images of a week."""
    labels = rng.choice(10, size=count, p=shares)
    order = rng.permutation(len(DIGITS.target))
    found = [rng.choice(order[DIGITS.target[order] == one]) for one in labels]
    pixels = DIGITS.images[found] / 16
    for axis in (1, 2):
        by = rng.uniform(-0.3, 0.3, count)[:, None, None]
        pixels = (1 - abs(by)) * pixels + abs(by) * np.where(
            by > 0, np.roll(pixels, 1, axis), np.roll(pixels, -1, axis)
        )
    pixels = pixels * rng.uniform(0.8, 1.1, count)[:, None, None]
    if lens:
        pixels = 0.7 * np.roll(convolve(pixels, np.ones((1, 3, 3)) / 9), 1, axis=2)
    flat = np.clip(pixels + rng.normal(0, 0.05, pixels.shape), 0, 1).reshape(count, -1)
    statistics = np.stack([flat.mean(axis=1), flat.std(axis=1), np.abs(np.diff(flat, axis=1)).mean(axis=1)], axis=1)
    return Images(np.maximum(flat @ WEIGHTS[0] * 4 + WEIGHTS[1], 0), statistics, labels)


class Model:
    """A linear head."""

    def __init__(self, train: Images) -> None:
        self.mean, self.spread = train.features.mean(axis=0), train.features.std(axis=0) + 1e-6
        self.head = LogisticRegression(C=0.01, max_iter=300).fit(self._scaled(train), train.labels)

    def _scaled(self, images: Images) -> Floats:
        scaled: Floats = (images.features - self.mean) / self.spread
        return scaled

    def probabilities(self, images: Images) -> Floats:
        """(N, 10)."""
        found: Floats = self.head.predict_proba(self._scaled(images))
        return found

    def right(self, images: Images) -> NDArray[np.bool_]:
        """(N,) whether the answer is right."""
        found: NDArray[np.bool_] = self.probabilities(images).argmax(axis=1) == images.labels
        return found

    def accuracy(self, images: Images) -> float:
        """Share of right answers."""
        return float(self.right(images).mean())

    def seen(self, images: Images) -> Reference:
        """As the monitor sees it."""
        probabilities, scaled = self.probabilities(images), self._scaled(images)
        return Reference(
            bundle="",
            release="",
            classes=tuple(map(str, range(10))),
            labels=images.labels,
            groups=np.arange(len(images.labels)),
            probabilities=probabilities.astype(np.float32),
            features=scaled.astype(np.float32),
            statistics=images.statistics.astype(np.float32),
            energy=np.log(np.exp(self.head.decision_function(scaled)).sum(axis=1)).astype(np.float32),
            foreign=np.full(len(scaled), np.nan, dtype=np.float32),
            directions=np.random.default_rng(0).normal(size=(UNITS, COMPONENTS)).astype(np.float32),
        )


def noisy(images: Images, rng: np.random.Generator) -> Images:
    """With wrong labels among them."""
    wrong = rng.random(len(images.labels)) < NOISE
    return replace(images, labels=np.where(wrong, rng.integers(0, 10, len(wrong)), images.labels))
