"""Images unlike those that a model knows: how far an image lies from them, by the network's features and its pixels.

The distance is Mahalanobis' to the nearest class mean under one covariance (Lee et al. 2018), of which the strongest
directions are kept and the others count alike (Tipping and Bishop 1999). A network may map what it never saw onto what
it knows, so that plain statistics of the pixels stand beside its features.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

KNOWN = "known.safetensors"
FALSE_ALARMS = 0.01
"""Share of calibration images beyond the threshold."""
FEWEST = 30
"""Calibration images below which there is no threshold: the farthest of so few would be passed too often."""
DIRECTIONS = 64
FLOOR = 0.1
"""Of the variance in each other direction, as a share of the mean."""
FINEST = 64
"""Side in pixels to which larger images are averaged before their statistics are taken."""
SCALES = (1, 2, 4, 8)
"""Widths in pixels between which brightness is compared."""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a model knows, as `fit` found it; D features and statistics, C classes."""

    center: Floats
    """(D,) mean."""
    spread: Floats
    """(D,) standard deviation."""
    means: Floats
    """(C, D) of the classes, in units of the spread."""
    directions: Floats
    """(D, R) orthonormal."""
    weights: Floats
    """(R,) of a squared distance along each, beyond `rest`."""
    rest: Floats
    """(1,) weight of a squared distance in any direction."""
    limit: Floats
    """(1,) distance of the farthest image that is not foreign."""

    def scores(self, described: Floats) -> Floats:
        """Distances (N,) of images (N, D) as `describe` tells them to the nearest mean; above 1 they are foreign."""
        means, projected, lengths, directions = self._prepared
        scaled = (described - self.center) / self.spread
        along = ((scaled @ directions)[:, None] - projected) ** 2 @ self.weights
        # |a - b|² = |a|² + |b|² - 2ab, so that no (N, C, D) is made.
        whole = (scaled**2).sum(axis=1)[:, None] + lengths - 2 * scaled @ means.T
        scores: Floats = np.sqrt(np.maximum(along + whole * self.rest, 0).min(axis=1)) / self.limit
        return scores

    @cached_property
    def _prepared(self) -> tuple[Floats, Floats, Floats, Floats]:
        """What every image needs: means, these along the directions, their squared lengths, and the directions."""
        means, directions = self.means.astype(np.float32), self.directions.astype(np.float32)
        return means, means @ directions, (means**2).sum(axis=1), directions

    def write(self, path: Path) -> None:
        """Write to a file without pickle."""
        from safetensors.numpy import save_file

        save_file({name: np.ascontiguousarray(value) for name, value in asdict(self).items()}, path)

    @classmethod
    def read(cls, path: Path) -> Known:
        """What `write` wrote; raises SafetensorError or TypeError where the file is another."""
        from safetensors.numpy import load_file

        return cls(**load_file(path))


def describe(features: Floats, pixels: NDArray[np.uint8]) -> Floats:
    """Features (N, F) with the statistics of the images uint8 (N, S, S, 3) behind them: (N, D).

    Of each colour mean and deviation, how colourful the image is, and how much brightness changes over 1 … 8 pixels.
    """
    # Colour by colour: along an axis of three NumPy is slow.
    colours = (
        _averaged(pixels.transpose(3, 0, 1, 2), max(1, pixels.shape[1] // FINEST)).astype(np.float32, order="C") / 255
    )
    means = colours.mean(axis=(2, 3), keepdims=True)
    deviations = np.sqrt(np.square(colours - means).mean(axis=(2, 3)))
    colourful = (colours.max(axis=0) - colours.min(axis=0)).mean(axis=(1, 2))
    parts = [features.T, means[..., 0, 0], deviations, colourful[None]]
    grey = colours.mean(axis=0)
    for scale in SCALES:
        if grey.shape[1] >= 2 * scale:
            coarse = _averaged(grey, scale)
            parts += [np.abs(np.diff(coarse, axis=axis)).mean(axis=(1, 2))[None] for axis in (1, 2)]
    return np.concatenate(parts).T


def fit(described: Floats, labels: NDArray[np.integer], calib: Floats, features: int) -> Known | None:
    """Learn from training images (N, D) and labels (N,); the limit comes from the calibration images (M, D).

    `features` of the D are the network's. None where M is below `FEWEST`.
    """
    if len(calib) < FEWEST:
        return None
    spread = described.std(axis=0)
    # What never changes in training would make any change infinite: a feature's hundredth part, a level of grey.
    spread[:features] = np.maximum(spread[:features], max(0.01 * float(spread[:features].mean()), 1e-6))
    spread[features:] = np.maximum(spread[features:], 1 / 255)
    center = described.mean(axis=0)
    scaled = ((described - center) / spread).astype(np.float64)
    known = np.unique(labels)
    means = np.stack([scaled[labels == one].mean(axis=0) for one in known])
    around = scaled - means[np.searchsorted(known, labels)]
    variances, directions = np.linalg.eigh(around.T @ around / len(around))
    others = variances[:-DIRECTIONS] if len(variances) > DIRECTIONS else variances[:1]
    rest = max(float(others.mean()), FLOOR * float(variances.mean()), float(np.finfo(np.float32).eps))
    weights = 1 / np.maximum(variances[-DIRECTIONS:], rest) - 1 / rest
    found = Known(
        center=center.astype(np.float32),
        spread=spread.astype(np.float32),
        means=means.astype(np.float16),
        directions=directions[:, -DIRECTIONS:].astype(np.float16),
        weights=weights.astype(np.float32),
        rest=np.array([1 / rest], dtype=np.float32),
        limit=np.ones(1, dtype=np.float32),
    )
    rank = min(math.ceil((len(calib) + 1) * (1 - FALSE_ALARMS)), len(calib))
    limit = np.sort(found.scores(calib))[rank - 1 : rank].astype(np.float32)
    return replace(found, limit=limit)


def _averaged(images: NDArray[Any], factor: int) -> NDArray[Any]:
    """Means over squares of `factor` pixels of images (…, S, S); a rest at the edge is left out."""
    if factor == 1:
        return images
    side = images.shape[-1] // factor
    whole = images[..., : side * factor, : side * factor]
    squares = whole.reshape(*images.shape[:-2], side, factor, side, factor)
    averaged: NDArray[Any] = squares.mean(axis=(-3, -1), dtype=np.float32)
    return averaged
