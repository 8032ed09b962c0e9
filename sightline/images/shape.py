"""From an image of any shape to the square that a network takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image

from sightline.images.placement import GROUND, Placement

if TYPE_CHECKING:
    from numpy.typing import NDArray

Fit = Literal["squeeze", "fold", "pad", "crop", "letterbox"]
RAGGED, SHARE = 2.0, 0.1
"""Images whose longer side is more than so many times the shorter, and their share from which a set is folded."""


def squared(image: Image.Image, size: int, fit: Fit) -> NDArray[np.uint8]:
    """Pixels (size, size, 3) of an RGB image.

    `squeeze` scales each side by itself. `fold` cuts a long image into pieces and lays them side by side first, so that
    little is left to squeeze. `pad` scales both sides alike and goes on with the image's mirrored edges. `crop` takes
    the largest square in the middle. `letterbox` scales both sides alike and leaves the rest empty, so that what lies
    somewhere in the image can be found again (`placement`).
    """
    if fit == "fold":
        image = _folded(image)
    if fit == "crop":
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        image = image.crop((left, top, left + side, top + side))
    place = Placement(width=image.width, height=image.height, size=size)
    wide, high = place.sides if fit in {"pad", "letterbox"} else (size, size)
    if image.size != (wide, high):
        image = image.resize((wide, high), Image.Resampling.BICUBIC)
    if fit == "letterbox":
        square = Image.new("RGB", (size, size), GROUND)
        square.paste(image, place.corner)
        return np.asarray(square)
    pixels = np.asarray(image)
    return pixels if wide == high else _mirrored(pixels, size)


def long_share(sides: NDArray[np.integer]) -> float:
    """Share of the images, of these widths and heights (N, 2), that are more than twice as long as wide, or as wide."""
    return float((sides.max(axis=1) > RAGGED * sides.min(axis=1)).mean()) if len(sides) else 0.0


def fit_of(sides: NDArray[np.integer]) -> Fit:
    """How images of these widths and heights (N, 2) are best made square: `fold` where many are long, else `squeeze`.

    Padding shows less of a long image: of a strip of 1 : 4 a quarter of the pixels (docs/performance.md).
    """
    return "fold" if long_share(sides) >= SHARE else "squeeze"


def pieces(width: int, height: int) -> int:
    """Into how many pieces an image is folded: as many as make it most nearly square."""
    ratio = max(width, height) / min(width, height)
    few = math.floor(math.sqrt(ratio))
    # Of two candidates the one that leaves less to squeeze.
    return min((few, few + 1), key=lambda count: abs(math.log(ratio / count**2)))


def _folded(image: Image.Image) -> Image.Image:
    """The image cut across its longer side, the pieces side by side; the last one overlaps that before, if it must."""
    count, lying = pieces(*image.size), image.width >= image.height
    long, short = max(image.size), min(image.size)
    step = math.ceil(long / count)
    made = Image.new("RGB", (step, short * count) if lying else (short * count, step))
    for number in range(count):
        at = min(number * step, long - step)
        box = (at, 0, at + step, short) if lying else (0, at, short, at + step)
        made.paste(image.crop(box), (0, number * short) if lying else (number * short, 0))
    return made


def _mirrored(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The image (H, W, 3) in the middle of the square, mirrored at its edges as often as it takes."""
    missing = [size - side for side in pixels.shape[:2]]
    around = [(one // 2, one - one // 2) for one in missing]
    return np.pad(pixels, [*around, (0, 0)], mode="symmetric")
