"""The 15 corruptions of ImageNet-C at 5 severities (Hendrycks and Dietterich 2019), for images of any side.

Strengths are those of the paper. Lengths (radii, shifts, flakes) are given there for a side of 224 pixels and scale
with the side here. What differs: frost is drawn instead of laid on from photographs; the glass shuffles pixels by
independent draws instead of a chain of swaps; blurs have kernels of our own with the same lengths.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sightline.evaluate.filters import ASSUMED_SIDE, convolved, disk, ice, plasma, smooth, trails, zoomed

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.evaluate.filters import Floats

Pixels: TypeAlias = npt.NDArray[np.uint8]

SEVERITIES = (1, 2, 3, 4, 5)
BATCH = 32
"""Images that are corrupted at once: bounds the memory, and is part of what the seed means."""


def corrupt(pixels: Pixels, name: str, severity: int, seed: int = 0) -> Pixels:
    """Corrupted copy of square images uint8 (N, S, S, 3); the same arguments give the same pixels.

    `name` is a key of CORRUPTIONS, `severity` one of 1 … 5.
    """
    place = list(CORRUPTIONS).index(name)
    parts = []
    for start in range(0, len(pixels), BATCH):
        rng = np.random.default_rng([seed, place, severity, start])
        images = pixels[start : start + BATCH].astype(np.float32) / 255
        changed = CORRUPTIONS[name](images, severity - 1, rng)
        parts.append(np.round(np.clip(changed, 0, 1) * 255).astype(np.uint8))
    return np.concatenate(parts) if parts else pixels.copy()


def _gaussian_noise(images: Floats, level: int, rng: np.random.Generator) -> Floats:
    return images + (0.08, 0.12, 0.18, 0.26, 0.38)[level] * rng.standard_normal(images.shape, np.float32)


def _shot_noise(images: Floats, level: int, rng: np.random.Generator) -> Floats:
    photons = (60, 25, 12, 5, 3)[level]
    return (rng.poisson(images * photons) / photons).astype(np.float32)


def _impulse_noise(images: Floats, level: int, rng: np.random.Generator) -> Floats:
    share = (0.03, 0.06, 0.09, 0.17, 0.27)[level]
    drawn = rng.random(images.shape, np.float32)
    return np.where(drawn < share / 2, 0, np.where(drawn > 1 - share / 2, 1, images)).astype(np.float32)


def _defocus_blur(images: Floats, level: int, _: np.random.Generator) -> Floats:
    radius = (3, 4, 6, 8, 10)[level] * _scale(images)
    return convolved(images, disk(radius)[None])


def _glass_blur(images: Floats, level: int, rng: np.random.Generator) -> Floats:
    spread, reach, times = ((0.7, 1, 2), (0.9, 2, 1), (1.0, 2, 3), (1.1, 3, 2), (1.5, 4, 2))[level]
    side = images.shape[1]
    farthest = max(1, round(reach * _scale(images)))
    shuffled = smooth(images, spread * _scale(images))
    numbers = np.arange(len(images))[:, None, None]
    for _ in range(times):
        down, right = rng.integers(-farthest, farthest + 1, (2, *images.shape[:3]))
        rows = np.clip(np.arange(side)[:, None] + down, 0, side - 1)
        columns = np.clip(np.arange(side) + right, 0, side - 1)
        shuffled = shuffled[numbers, rows, columns]
    return smooth(shuffled, spread * _scale(images))


def _motion_blur(images: Floats, level: int, rng: np.random.Generator) -> Floats:
    radius, spread = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))[level]
    angles = np.radians(rng.uniform(-45, 45, len(images)))
    return convolved(images, trails(angles, radius * _scale(images), spread * _scale(images)))


def _zoom_blur(images: Floats, level: int, _: np.random.Generator) -> Floats:
    last, step = ((0.10, 0.01), (0.15, 0.01), (0.20, 0.02), (0.24, 0.02), (0.30, 0.03))[level]
    factors = 1 + step * np.arange(round(last / step) + 1)
    total = images + sum(zoomed(images, factor) for factor in factors)
    return total / np.float32(len(factors) + 1)


def _snow(images: Floats, level: int, rng: np.random.Generator) -> Floats:
    mean, spread, zoom, least, radius, sigma, kept = (
        (0.1, 0.3, 3.0, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2.0, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4.0, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    )[level]
    drawn = (mean + spread * rng.standard_normal((*images.shape[:3], 1), np.float32)).astype(np.float32)
    flakes = zoomed(drawn, max(1.0, zoom * _scale(images)))
    flakes = np.clip(np.where(flakes < least, 0, flakes), 0, 1)
    angles = np.radians(rng.uniform(45, 135, len(images)))
    fallen = convolved(flakes, trails(angles, radius * _scale(images), sigma * _scale(images)))
    grey = images @ np.array([[0.299], [0.587], [0.114]], np.float32)
    whitened: Floats = kept * images + (1 - kept) * np.maximum(images, 1.5 * grey + 0.5)
    return whitened + fallen + fallen[:, ::-1, ::-1]


def _frost(images: Floats, level: int, rng: np.random.Generator) -> Floats:
    kept, added = ((1.0, 0.4), (0.8, 0.6), (0.7, 0.7), (0.65, 0.7), (0.6, 0.75))[level]
    return kept * images + added * ice(images, rng)


def _fog(images: Floats, level: int, rng: np.random.Generator) -> Floats:
    amount, decay = ((1.5, 2.0), (2.0, 2.0), (2.5, 1.7), (2.5, 1.5), (3.0, 1.4))[level]
    brightest: Floats = images.max(axis=(1, 2, 3), keepdims=True)
    return (images + amount * plasma(images, decay, rng)) * brightest / (brightest + amount)


def _brightness(images: Floats, level: int, _: np.random.Generator) -> Floats:
    value: Floats = images.max(axis=3, keepdims=True)  # of hue, saturation, value
    lifted = np.minimum(value + (0.1, 0.2, 0.3, 0.4, 0.5)[level], 1)
    coloured: Floats = np.where(value > 0, images / np.maximum(value, 1e-6), 1) * lifted
    return coloured


def _contrast(images: Floats, level: int, _: np.random.Generator) -> Floats:
    mean: Floats = images.mean(axis=(1, 2), keepdims=True)
    return (images - mean) * np.float32((0.4, 0.3, 0.2, 0.1, 0.05)[level]) + mean


def _elastic_transform(images: Floats, level: int, rng: np.random.Generator) -> Floats:
    from scipy.ndimage import gaussian_filter, map_coordinates

    # The paper gives these as shares of a side.
    side = images.shape[1]
    strength, spread, corners = (
        side * np.array(((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02)))
    )[level]
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij")).astype(np.float32)
    centre, reach = side / 2, side / 3
    anchors = centre + reach * np.array([(1, 1), (1, -1), (-1, -1)])
    changed = np.empty_like(images)
    for number, image in enumerate(images):
        moved = anchors + rng.uniform(-corners, corners, anchors.shape)
        # Where the three moved anchors came from decides the affine map from the new image to the old one.
        affine = np.linalg.solve(np.column_stack([moved, np.ones(3)]), anchors).T
        noise = rng.uniform(-1, 1, grid.shape)
        bend = gaussian_filter(noise, (0, spread, spread), mode="reflect", truncate=3) * strength
        source = np.tensordot(affine[:, :2], grid, 1) + affine[:, 2, None, None] + bend
        for channel in range(3):
            changed[number, ..., channel] = map_coordinates(image[..., channel], source, order=1, mode="reflect")
    return changed


def _pixelate(images: Floats, level: int, _: np.random.Generator) -> Floats:
    from PIL import Image

    side = images.shape[1]
    coarse = max(1, int(side * (0.6, 0.5, 0.4, 0.3, 0.25)[level]))
    box = Image.Resampling.BOX
    return _each(images, lambda image: image.resize((coarse, coarse), box).resize((side, side), box))


def _jpeg_compression(images: Floats, level: int, _: np.random.Generator) -> Floats:
    from PIL import Image

    quality = (25, 18, 15, 10, 7)[level]

    def squeezed(image: Any) -> Any:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality)
        return Image.open(file)

    return _each(images, squeezed)


CORRUPTIONS: dict[str, Callable[[Floats, int, np.random.Generator], Floats]] = {
    "gaussian_noise": _gaussian_noise,
    "shot_noise": _shot_noise,
    "impulse_noise": _impulse_noise,
    "defocus_blur": _defocus_blur,
    "glass_blur": _glass_blur,
    "motion_blur": _motion_blur,
    "zoom_blur": _zoom_blur,
    "snow": _snow,
    "frost": _frost,
    "fog": _fog,
    "brightness": _brightness,
    "contrast": _contrast,
    "elastic_transform": _elastic_transform,
    "pixelate": _pixelate,
    "jpeg_compression": _jpeg_compression,
}
"""Name → function of images float32 (N, S, S, 3) in 0 … 1, severity from 0, and the generator."""


CELLS = len(CORRUPTIONS) * len(SEVERITIES)
"""Of the full grid."""


def _scale(images: Floats) -> float:
    """What a length of the paper is multiplied by."""
    return float(images.shape[1] / ASSUMED_SIDE)


def _each(images: Floats, change: Callable[[Any], Any]) -> Floats:
    """Apply `change` to each image as Pillow has it."""
    from PIL import Image

    pixels = np.round(images * 255).astype(np.uint8)
    changed = [np.asarray(change(Image.fromarray(one))) for one in pixels]
    return np.stack(changed).astype(np.float32) / 255
