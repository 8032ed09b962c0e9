"""Images made by formulas, from which a backbone learns without a photograph: a class is a formula and its colours."""

from __future__ import annotations

import os
import re
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sightline.data.embedded.exact import cos, sin, spread, uniform
from sightline.data.embedded.field import COLUMN, ROW, SIDE
from sightline.data.embedded.formulas import drawn

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.data.embedded.exact import Floats
    from sightline.data.embedded.field import Formula

NAME = "embedded:fractals"

SEED = 25
CLASSES, EACH = 600, 50
"""Classes, and images of each, where no number is asked for."""
BLOCK = 50
"""Images that are drawn together: a class with more begins with the same ones."""
KNOTS = 4
"""Colours of a scale."""
GREY, STRANGE = 0.4, 0.25
"""Shares of the images without colour, and of those in colours of their own: shapes must be learned too."""
SOFT = 0.3
"""Share of the images that are blurred."""

_NUMBERED = re.compile(rf"{NAME}:([1-9]\d{{0,3}})x([1-9]\d{{0,3}})")
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def is_named(name: str) -> bool:
    """Whether `name` asks for these images, as NAME or NAME:CLASSESxIMAGES."""
    return name == NAME or _NUMBERED.fullmatch(name) is not None


def numbers(name: str) -> tuple[int, int]:
    """Classes, and images of each, that `name` asks for."""
    asked = _NUMBERED.fullmatch(name)
    return (int(asked[1]), int(asked[2])) if asked else (CLASSES, EACH)


def write(name: str, folder: Path) -> int:
    """Write the images that `name` asks for to `folder`/CLASS/NNNN.png; their number."""
    classes, each = numbers(name)
    parts = product(range(classes), range(0, each, BLOCK))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        return sum(pool.map(partial(_write, folder, each), parts, chunksize=4))


def _write(folder: Path, each: int, part: tuple[int, int]) -> int:
    label, start = part
    place = folder / f"{label:04d}"
    place.mkdir(parents=True, exist_ok=True)
    images = block(label, start)[: each - start]
    for number, image in enumerate(images, start):
        # Stored, not deflated: noise does not shrink, and the bytes do not hang on the zlib in use.
        Image.fromarray(image).save(place / f"{number:04d}.png", compress_level=0)
    return len(images)


def block(label: int, start: int) -> NDArray[np.uint8]:
    """The BLOCK images of a class from the one with the number `start` on: uint8, the same on every machine."""
    formula, scale = _law(label)
    rng = np.random.default_rng((SEED, label, start + 1))
    value, cover = formula(rng, BLOCK)
    return _painted(rng, value, cover, scale)


@cache
def _law(label: int) -> tuple[Formula, Floats]:
    """What all images of a class share: formula and colours (KNOTS, 3)."""
    rng = np.random.default_rng((SEED, label))
    return drawn(rng, label), uniform(rng, 0, 1, KNOTS, 3)


def _painted(rng: np.random.Generator, value: Floats, cover: Floats, scale: Floats) -> NDArray[np.uint8]:
    """The fields in the colours of the class, on a background, in another light for each image: uint8."""
    count = len(value)
    own = np.clip(scale + spread(rng, 0.08, count, KNOTS, 3) + spread(rng, 0.06, count, 1, 3), 0, 1)
    strange = uniform(rng, 0, 1, count, KNOTS, 3)
    image = _coloured(value, np.where(rng.random((count, 1, 1)) < STRANGE, strange, own))
    behind = _coloured(_clouds(rng, count), uniform(rng, 0, 1, count, KNOTS, 3) * uniform(rng, 0.2, 1, count, 1, 1))
    image = behind * (1 - cover[..., None]) + image * cover[..., None]
    luma = image[..., 0] * _LUMA[0] + image[..., 1] * _LUMA[1] + image[..., 2] * _LUMA[2]
    image = np.where(rng.random((count, 1, 1, 1)) < GREY, luma[..., None], image)
    way = uniform(rng, 0, 1, count, 1, 1)
    light = 1 + uniform(rng, 0, 0.4, count, 1, 1) * (COLUMN * cos(way) + ROW * sin(way))
    contrast, bright = uniform(rng, 0.55, 1.15, count, 1, 1, 1), uniform(rng, -0.2, 0.2, count, 1, 1, 1)
    image = ((image - 0.5) * contrast + 0.5 + bright) * light[..., None]
    soft = (rng.random((count, 1, 1, 1)) < SOFT).astype(np.float32)
    image = image * (1 - soft) + _blurred(image) * soft
    grain = spread(rng, 1, count, SIDE, SIDE, 1) * uniform(rng, 0, 0.07, count, 1, 1, 1)
    return np.asarray(np.rint(np.clip(image + grain, 0, 1) * 255), np.uint8)


def _coloured(value: Floats, scales: Floats) -> Floats:
    """Places 0 … 1 on scales (images, KNOTS, 3) as colours (images, SIDE, SIDE, 3)."""
    place = value * (KNOTS - 1)
    knot = np.minimum(place.astype(np.int64), KNOTS - 2)
    part = (place - knot)[..., None].astype(np.float32)
    rows = np.arange(len(value))[:, None, None]
    return np.asarray(scales[rows, knot] * (1 - part) + scales[rows, knot + 1] * part)


def _clouds(rng: np.random.Generator, count: int) -> Floats:
    """A background that tells nothing of the class: a few waves of any length and direction."""
    total: Floats = np.zeros((count, SIDE, SIDE), np.float32)
    for _ in range(4):
        way, often = uniform(rng, 0, 1, count, 1, 1), uniform(rng, 0.1, 1, count, 1, 1)
        often = often * often * often * 6
        wave = cos((COLUMN * cos(way) + ROW * sin(way)) * often + uniform(rng, 0, 1, count, 1, 1))
        total = total + wave / (1 + often)
    return np.asarray(np.clip(0.5 + 0.25 * total, 0, 1))


def _blurred(image: Floats) -> Floats:
    """Each pixel and its right and lower neighbour, weighed alike in both directions."""
    across = (image + np.roll(image, 1, 2) + np.roll(image, -1, 2)) / 3
    return np.asarray((across + np.roll(across, 1, 1) + np.roll(across, -1, 1)) / 3)
