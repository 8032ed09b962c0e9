"""Toy pictures with something to see at every scale."""

from __future__ import annotations

import numpy as np
from PIL import Image


def picture(seed: int = 0, side: int = 128) -> Image.Image:
    """Blots on a slope: something at every scale."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize(
        (side, side), Image.Resampling.BICUBIC
    )
    noise = rng.integers(-20, 21, (side, side, 3))
    return Image.fromarray(np.clip(np.asarray(coarse) + noise, 0, 255).astype(np.uint8))
