"""From an image of any shape to the square that a network takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

Fit = Literal["squeeze", "pad", "crop"]
RAGGED, SHARE = 2.0, 0.1
"""Images whose longer side is more than so many times the shorter, and their share from which a set is padded: below,
what squeezing distorts costs less than pixels that show nothing new."""


def squared(image: Image.Image, size: int, fit: Fit) -> NDArray[np.uint8]:
    """Pixels (size, size, 3) of an RGB image.

    `squeeze` scales each side by itself; `pad` scales both alike and goes on with the image's mirrored edges; `crop`
    takes the largest square in the middle.
    """
    if fit == "crop":
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    wide, high = (size, size) if fit != "pad" else _inside(image.size, size)
    if image.size != (wide, high):
        image = image.resize((wide, high), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    return pixels if wide == high else _mirrored(pixels, size)


def long_share(sides: NDArray[np.integer]) -> float:
    """Share of the images, of these widths and heights (N, 2), that are more than twice as long as wide, or as wide."""
    return float((sides.max(axis=1) > RAGGED * sides.min(axis=1)).mean()) if len(sides) else 0.0


def fit_of(sides: NDArray[np.integer]) -> Fit:
    """How images of these widths and heights (N, 2) are best made square: `pad` where many are long, else `squeeze`."""
    return "pad" if long_share(sides) >= SHARE else "squeeze"


def _inside(sides: tuple[int, int], size: int) -> tuple[int, int]:
    """Width and height of the largest image of that shape inside the square."""
    longest = max(sides)
    wide, high = (max(1, round(side * size / longest)) for side in sides)
    return wide, high


def _mirrored(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The image (H, W, 3) in the middle of the square, mirrored at its edges as often as it takes."""
    missing = [size - side for side in pixels.shape[:2]]
    around = [(one // 2, one - one // 2) for one in missing]
    return np.pad(pixels, [*around, (0, 0)], mode="symmetric")
