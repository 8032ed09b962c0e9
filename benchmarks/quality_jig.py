"""Photographs of one kind of part by a fixed camera, made: what parts share is no sign that they are one photograph.

Every photograph shows the same frame, bars and holes, within 2 pixels and 10 % of the exposure; noise, spots and
scratches are its own. A copy of one is smaller, compressed, cropped by at most 3 % a side, or brighter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Levels = NDArray[np.float64]

GOOD, BAD = "good", "bad"
MARGIN = 8
"""What is drawn beyond each edge of the photograph, pixels: the part moves below the camera."""


@dataclass(frozen=True)
class Jig:
    """A kind of part and how it is photographed."""

    parts: int = 2000
    copies: int = 60
    seed: int = 0
    side: int = 256
    """Height and width, pixels."""
    defects: float = 1.0
    """How large and how many spots and scratches are."""
    noise: float = 3.0
    """Standard deviation of the camera's noise, grey levels."""
    light: float = 0.0
    """How unevenly the light falls from one photograph to another, share."""
    colour: bool = False


def make(jig: Jig, folder: Path) -> set[frozenset[str]]:
    """Write `good` and `bad` parts below `folder`, and copies of some; the pairs of original and copy."""
    rng = np.random.default_rng(jig.seed)
    part = _part(jig, rng)
    names = []
    for number in range(jig.parts):
        label = (GOOD, BAD)[number % 2]
        names.append(f"{label}/{number:05}.jpg")
        path = folder / names[-1]
        path.parent.mkdir(parents=True, exist_ok=True)
        photograph(part, jig, label, rng).save(path, quality=92)
    pairs = set()
    for number, chosen in enumerate(rng.choice(jig.parts, jig.copies, replace=False).tolist()):
        name = names[chosen]
        copy = f"{name.partition('/')[0]}/copy {number:03}.jpg"
        image, quality = _copy(Image.open(folder / name), number % 4, rng)
        image.save(folder / copy, quality=quality)
        pairs.add(frozenset({name, copy}))
    return pairs


def _part(jig: Jig, rng: np.random.Generator) -> Image.Image:
    """What all parts have in common, MARGIN wider than a photograph on each side."""
    side = jig.side + 2 * MARGIN
    part = Image.new("L", (side, side), int(rng.integers(90, 150)))
    draw = ImageDraw.Draw(part)
    edge = int(rng.integers(side // 14, side // 8))
    draw.rectangle((edge, edge, side - edge, side - edge), outline=int(rng.integers(180, 240)), width=side // 40)
    for place in np.sort(rng.uniform(edge + side / 20, side - edge - side / 20, rng.integers(4, 8))):
        width, level = rng.uniform(side / 60, side / 25), int(rng.integers(30, 220))
        along = (place - width, edge + side / 12, place + width, side - edge - side / 12)
        draw.rectangle(along if jig.seed % 2 == 0 else (along[1], along[0], along[3], along[2]), fill=level)
    for across, down in rng.uniform(edge, side - edge, (3, 2)):
        size = rng.uniform(side / 40, side / 20)
        draw.ellipse((across - size, down - size, across + size, down + size), fill=int(rng.integers(20, 60)))
    return part.filter(ImageFilter.GaussianBlur(1))


def photograph(part: Image.Image, jig: Jig, label: str, rng: np.random.Generator) -> Image.Image:
    """Take one photograph of a part of its own."""
    surface = np.asarray(part, dtype=np.float64) + _spots(part.width, jig, label, rng)
    surface += _scratches(part.width, jig, label, rng)
    left, top = MARGIN + rng.uniform(-2, 2, 2)
    box = (left, top, left + jig.side, top + jig.side)
    seen = Image.fromarray(np.clip(surface, 0, 255).astype(np.uint8))
    levels = np.asarray(seen.resize((jig.side, jig.side), Image.Resampling.BICUBIC, box=box), dtype=np.float64)
    slope = np.linspace(-0.5, 0.5, jig.side) * rng.uniform(-jig.light, jig.light, (2, 1))
    levels = levels * rng.uniform(0.9, 1.1) * (1 + slope[0][:, None] + slope[1])
    if jig.colour:
        tint = rng.uniform(0.9, 1.1, 3) * (1.0, 0.85, 0.6)
        levels = levels[..., None] * tint
    levels = levels + rng.normal(0, jig.noise, levels.shape)
    return Image.fromarray(np.clip(levels.round(), 0, 255).astype(np.uint8))


def _spots(side: int, jig: Jig, label: str, rng: np.random.Generator) -> Levels:
    down, across = np.mgrid[:side, :side]
    found = np.zeros((side, side))
    for _ in range(rng.integers(2, 6) + (rng.integers(2, 5) if label == BAD else 0)):
        middle = rng.uniform(0, side, 2)
        size = rng.uniform(0.006, 0.025 if label == BAD else 0.012) * side * jig.defects
        depth = rng.uniform(25, 80) * rng.choice([-1, 1], p=[0.8, 0.2])
        found += depth * np.exp(-((down - middle[0]) ** 2 + (across - middle[1]) ** 2) / (2 * size**2))
    return found


def _scratches(side: int, jig: Jig, label: str, rng: np.random.Generator) -> Levels:
    layer = Image.new("L", (side, side))
    draw = ImageDraw.Draw(layer)
    for _ in range(rng.integers(0, 2) + (rng.integers(1, 3) if label == BAD else 0)):
        start, angle = rng.uniform(0, side, 2), rng.uniform(0, 2 * np.pi)
        length = rng.uniform(0.1, 0.4) * side * jig.defects
        end = start + length * np.array([np.cos(angle), np.sin(angle)])
        draw.line((*start, *end), fill=int(rng.integers(40, 110)), width=int(rng.integers(1, 3)))
    return np.asarray(layer.filter(ImageFilter.GaussianBlur(0.7)), dtype=np.float64)


def _copy(image: Image.Image, kind: int, rng: np.random.Generator) -> tuple[Image.Image, int]:
    """A copy, and the JPEG quality to store it at."""
    match kind:
        case 0:
            side = round(image.width * rng.uniform(0.5, 1))
            return image.resize((side, side), Image.Resampling.BICUBIC), 92
        case 1:
            return image, int(rng.integers(50, 90))
        case 2:
            low, high = rng.uniform(0, 0.03, 2) * image.width, (1 - rng.uniform(0, 0.03, 2)) * image.width
            return image.crop((round(low[0]), round(low[1]), round(high[0]), round(high[1]))), 92
        case _:
            gain, offset = rng.uniform(0.8, 1.15), rng.uniform(0, 25)
            return image.point(lambda level: level * gain + offset), 92
