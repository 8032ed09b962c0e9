"""Toy pictures with something to see at every scale."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter


def picture(seed: int = 0, side: int = 128) -> Image.Image:
    """Blots on a slope: something at every scale."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    noise = rng.integers(-20, 21, (side, side, 3))
    return Image.fromarray(np.clip(np.asarray(coarse) + noise, 0, 255).astype(np.uint8))


def part(seed: int, side: int = 160) -> Image.Image:
    """Photograph one kind of part: frame and bars of all, a little moved; spots, a scratch and noise of its own."""
    rng = np.random.default_rng(seed)
    image = Image.new("L", (side + 8, side + 8), 120)
    draw = ImageDraw.Draw(image)
    draw.rectangle((16, 16, side - 8, side - 8), outline=210, width=5)
    for left, level in ((34, 60), (62, 200), (104, 40)):
        draw.rectangle((left, 30, left + 12, side - 26), fill=level)
    image = image.filter(ImageFilter.GaussianBlur(1))
    own = ImageDraw.Draw(image)
    for _ in range(4):
        across, down, size = rng.uniform((8, 8, 0.5), (side, side, 1.5))
        own.ellipse((across - size, down - size, across + size, down + size), fill=int(rng.integers(20, 90)))
    start = rng.uniform(8, side, 2)
    own.line((*start, *(start + rng.uniform(-20, 20, 2))), fill=200)
    left, top = rng.uniform(2, 6, 2)
    seen = image.resize((side, side), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    levels = np.asarray(seen) * rng.uniform(0.9, 1.1) + rng.normal(0, 2, (side, side))
    return Image.fromarray(np.clip(levels, 0, 255).astype(np.uint8)).convert("RGB")
