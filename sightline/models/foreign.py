"""Images unlike those that a model knows: how far an image lies from them, by the network's features and its pixels.

Distance to the nearest training image (Sun et al. 2022), in units in which images of one class spread alike (as in
Mahalanobis' distance, Lee et al. 2018). A network may map what it never saw onto what it knows, so that plain
statistics of the pixels stand beside its features, and the energy of its logits (Liu et al. 2020) beside both.
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
DIRECTIONS = 128
"""The strongest in which distances are taken."""
SHRINKAGE = 0.05
"""Share of the mean variance in that of each direction: few images would make the weak ones too weak."""
CLOSEST, NARROWEST, HIGHEST = 1e-2, 0.05, 50.0
"""Least squared distance, least half width of the usual ones, and largest logarithm of a score: all stay finite."""
FINEST = 64
"""Side in pixels to which larger images are averaged before their statistics are taken."""
SCALES = (1, 2, 4, 8)
"""Widths in pixels between which brightness is compared."""


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """Training images in one view, of D numbers, as `_learn` found them."""

    center: Floats
    """(D,) mean."""
    spread: Floats
    """(D,) standard deviation."""
    directions: Floats
    """(D, R) along which images of a class spread by 1."""
    bank: Floats
    """(M, R) training images."""
    usual: Floats
    """(2,) median and half of the middle 68 % of the logarithm of a calibration image's distance."""

    def distances(self, view: Floats) -> Floats:
        """Logarithm (N,) of the squared distance of images (N, D) to the nearest training image."""
        bank, lengths, directions = self._prepared
        placed = ((view - self.center) / self.spread) @ directions
        squares = (placed**2).sum(axis=1)[:, None] + lengths - 2 * placed @ bank.T
        logs: Floats = np.log(np.maximum(squares.min(axis=1), CLOSEST))
        return logs

    def surprise(self, view: Floats) -> Floats:
        """Distances (N,) of images (N, D) in units of the usual ones."""
        return _beside(self.distances(view), self.usual)

    @cached_property
    def _prepared(self) -> tuple[Floats, Floats, Floats]:
        """What every image needs: the bank, its squared lengths, and the directions."""
        bank, directions = self.bank.astype(np.float32), self.directions.astype(np.float32)
        return bank, (bank**2).sum(axis=1), directions


@dataclass(frozen=True, kw_only=True)
class Known:
    """What a model knows, as `fit` found it."""

    features: Neighbours
    pixels: Neighbours
    energy: Floats
    """(2,) median and half of the middle 68 % of the calibration images' energies."""
    limit: Floats
    """(1,) sum of the surprises of the farthest image that is not foreign."""

    def scores(self, described: Floats) -> Floats:
        """How foreign images (N, D) are, as `describe` tells them: above 1 they are called so."""
        split = len(self.features.center)
        total = self.features.surprise(described[:, :split]) + self.pixels.surprise(described[:, split:-1])
        total += _beside(described[:, -1], self.energy)
        scores: Floats = np.exp(np.minimum(total - self.limit, HIGHEST))
        return scores

    def write(self, path: Path) -> None:
        """Write to a file without pickle."""
        from safetensors.numpy import save_file

        parts = {"features": self.features, "pixels": self.pixels}
        named = {f"{part}.{name}": value for part, one in parts.items() for name, value in asdict(one).items()}
        named |= {"energy": self.energy, "limit": self.limit}
        save_file({name: np.ascontiguousarray(value) for name, value in named.items()}, path)

    @classmethod
    def read(cls, path: Path) -> Known:
        """What `write` wrote; raises SafetensorError, KeyError or TypeError where the file is another."""
        from safetensors.numpy import load_file

        values = load_file(path)
        parts = {
            part: Neighbours(**{name.partition(".")[2]: one for name, one in values.items() if name.startswith(part)})
            for part in ("features.", "pixels.")
        }
        return cls(features=parts["features."], pixels=parts["pixels."], energy=values["energy"], limit=values["limit"])


def describe(features: Floats, logits: Floats, pixels: NDArray[np.uint8]) -> Floats:
    """Features (N, F), behind them statistics of the images uint8 (N, S, S, 3), and the energy of the logits: (N, D).

    The statistics are the roots of each colour's mean and deviation, of how colourful the image is, and of how much
    brightness changes over 1 … 8 pixels.
    """
    # Colour by colour: along an axis of three NumPy is slow.
    colours = (
        _averaged(pixels.transpose(3, 0, 1, 2), max(1, pixels.shape[1] // FINEST)).astype(np.float32, order="C") / 255
    )
    means = colours.mean(axis=(2, 3), keepdims=True)
    deviations = np.sqrt(np.square(colours - means).mean(axis=(2, 3)))
    colourful = (colours.max(axis=0) - colours.min(axis=0)).mean(axis=(1, 2))
    parts = [means[..., 0, 0], deviations, colourful[None]]
    grey = colours.mean(axis=0)
    for scale in SCALES:
        if grey.shape[1] >= 2 * scale:
            coarse = _averaged(grey, scale)
            parts += [np.abs(np.diff(coarse, axis=axis)).mean(axis=(1, 2))[None] for axis in (1, 2)]
    # By their roots small ones count too: how fine is the grain of a dark image.
    statistics = np.sqrt(np.concatenate(parts)).T
    highest = logits.max(axis=1, keepdims=True)
    energy = -highest - np.log(np.exp(logits - highest).sum(axis=1, keepdims=True))
    return np.concatenate([features, statistics, energy], axis=1)


def statistics_names(count: int) -> tuple[str, ...]:
    """What the `count` statistics that `describe` tells are called."""
    colours = ("red", "green", "blue")
    names = [*colours, *(f"spread of {one}" for one in colours), "colourfulness"]
    names += [f"change over {scale} px {way}" for scale in SCALES for way in ("downwards", "sideways")]
    return tuple(names[:count])


def fit(described: Floats, labels: NDArray[np.integer], calib: Floats, features: int) -> Known | None:
    """Learn from training images (N, D) and labels (N,); the limit comes from the calibration images (M, D).

    `features` of the D are the network's. None where M is below `FEWEST`.
    """
    if len(calib) < FEWEST:
        return None
    views = slice(None, features), slice(features, -1)
    both = [_learn(described[:, view], labels, calib[:, view]) for view in views]
    nothing = np.zeros(1, dtype=np.float32)
    found = Known(features=both[0], pixels=both[1], energy=_usual(calib[:, -1]), limit=nothing)
    rank = min(math.ceil((len(calib) + 1) * (1 - FALSE_ALARMS)), len(calib))
    limit = np.log(np.sort(found.scores(calib))[rank - 1 : rank]).astype(np.float32)
    return replace(found, limit=limit)


def _learn(view: Floats, labels: NDArray[np.integer], calib: Floats) -> Neighbours:
    """The neighbours in one view (N, D), and how far calibration images (M, D) usually lie from them."""
    spread = view.std(axis=0)
    # What never changes in training would make any change infinite.
    spread = np.maximum(spread, max(0.02 * float(spread.mean()), 1e-6))
    center = view.mean(axis=0)
    scaled = ((view - center) / spread).astype(np.float64)
    known, place = np.unique(labels, return_inverse=True)
    around = scaled - np.stack([scaled[labels == one].mean(axis=0) for one in known])[place]
    variances, directions = np.linalg.eigh(around.T @ around / len(around))
    variances = (1 - SHRINKAGE) * variances + SHRINKAGE * max(float(variances.mean()), 1e-6)
    strongest = directions[:, -DIRECTIONS:] / np.sqrt(variances[-DIRECTIONS:])
    found = Neighbours(
        center=center.astype(np.float32),
        spread=spread.astype(np.float32),
        directions=strongest.astype(np.float16),
        bank=(scaled @ strongest).astype(np.float16),
        usual=np.array([0, 1], dtype=np.float32),
    )
    return replace(found, usual=_usual(found.distances(calib)))


def _usual(values: Floats) -> Floats:
    """Median and half of the middle 68 % of values (M,)."""
    low, middle, high = np.quantile(values, [0.16, 0.5, 0.84])
    return np.array([middle, max(float(high - low) / 2, NARROWEST)], dtype=np.float32)


def _beside(values: Floats, usual: Floats) -> Floats:
    """Values (N,) in units of the usual ones; being near in one regard excuses nothing in another."""
    found: Floats = np.maximum((values - usual[0]) / usual[1], 0)
    return found


def _averaged(images: NDArray[Any], factor: int) -> NDArray[Any]:
    """Means over squares of `factor` pixels of images (…, S, S); a rest at the edge is left out."""
    if factor == 1:
        return images
    side = images.shape[-1] // factor
    whole = images[..., : side * factor, : side * factor]
    squares = whole.reshape(*images.shape[:-2], side, factor, side, factor)
    averaged: NDArray[Any] = squares.mean(axis=(-3, -1), dtype=np.float32)
    return averaged
