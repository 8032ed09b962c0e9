"""Features of an image that need no network: colours by place, textures and slopes at four scales.

Enough to see which label does not fit where classes differ by surface or colour; a trained backbone's features are
better wherever there is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

SIDE = 128
"""Height and width at which an image is looked at, pixels."""
SCALES = 4
"""The image, and so many times less one at half the size."""
GRID = 4
"""Places each way at which colours are averaged."""
LEVELS = 16
"""Bins of the histogram of each colour."""
DIRECTIONS = 8
"""Bins of the direction of slopes, over half a turn."""


def texture(image: Image.Image) -> Floats:
    """Describe a decoded image by 324 numbers."""
    pixels = np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    grey = pixels.mean(2, dtype=np.float32) / 255
    parts = [_colours(pixels)]
    for _ in range(SCALES):
        parts += [_patterns(grey), _slopes(grey)]
        half = len(grey) // 2
        grey = grey.reshape(half, 2, half, 2).mean((1, 3))
    return np.concatenate(parts).astype(np.float32)


def _colours(pixels: NDArray[np.uint8]) -> Floats:
    """Mean and spread of each colour by place, and its histogram."""
    cells = pixels.reshape(GRID, SIDE // GRID, GRID, SIDE // GRID, 3).astype(np.float32) / 255
    bins = pixels.reshape(-1, 3) // (256 // LEVELS) + np.arange(3) * LEVELS
    histogram = np.bincount(bins.ravel(), minlength=3 * LEVELS) / SIDE**2
    return np.concatenate([cells.mean((1, 3)).ravel(), cells.std((1, 3)).ravel(), histogram])


def _patterns(grey: Floats) -> Floats:
    """Histogram of uniform local binary patterns with 8 neighbours (Ojala, Pietikäinen and Mäenpää 2002), as roots."""
    ring = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    side = len(grey) - 2
    brighter = np.stack([grey[y : y + side, x : x + side] >= grey[1:-1, 1:-1] for y, x in ring])
    changes = (brighter != np.roll(brighter, 1, axis=0)).sum(0)
    code = np.where(changes <= 2, brighter.sum(0), len(ring) + 1)  # noqa: PLR2004 — uniform: one run of ones
    result: Floats = np.sqrt(np.bincount(code.ravel(), minlength=len(ring) + 2) / code.size)
    return result


def _slopes(grey: Floats) -> Floats:
    """Slopes by direction in each quarter of the image, and how steep and contrasty all of it is, as logarithms."""
    down, across = np.gradient(grey)
    steepness = np.hypot(down, across)
    turn = np.arctan2(down, across) % np.pi / np.pi
    direction = np.minimum((turn * DIRECTIONS).astype(np.intp), DIRECTIONS - 1)
    half = np.arange(len(grey)) * 2 // len(grey)
    place = (2 * half[:, None] + half) * DIRECTIONS + direction
    by_place = np.bincount(place.ravel(), steepness.ravel(), minlength=4 * DIRECTIONS) / grey.size
    overall = np.array([steepness.mean(), steepness.std(), grey.std()])
    return np.concatenate([np.log1p(200 * by_place), np.log(overall + 1e-4)])
