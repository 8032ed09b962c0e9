"""What corruptions are made of: kernels, enlargements, clouds and ice, for batches of images float32 (N, S, S, C)."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.floating[Any]]
ASSUMED_SIDE = 224
"""The side in pixels for which the lengths of ImageNet-C are given."""


def smooth(images: Floats, sigma: float) -> Floats:
    """Images (N, S, S, C) blurred by a normal curve of `sigma` pixels."""
    from scipy.ndimage import gaussian_filter

    smoothed: Floats = gaussian_filter(images, (0, sigma, sigma, 0), mode="nearest")
    return smoothed


def convolved(images: Floats, kernels: Floats) -> Floats:
    """Images (N, S, S, C) convolved with one kernel, or one for each: (1 or N, K, K), K odd; borders are mirrored."""
    from scipy.fft import irfft2, rfft2  # scipy.signal takes a second to import

    rim = kernels.shape[1] // 2
    padded = np.pad(images, ((0, 0), (rim, rim), (rim, rim), (0, 0)), mode="symmetric")
    shape = padded.shape[1:3]
    product = rfft2(padded, axes=(1, 2)) * rfft2(kernels[..., None], shape, axes=(1, 2))
    blurred: Floats = irfft2(product, shape, axes=(1, 2))[:, 2 * rim :, 2 * rim :]
    return blurred


def _kernel(points: npt.NDArray[Any], weights: npt.NDArray[Any], rim: int) -> Floats:
    """Kernel (2 rim + 1 squared) of sum 1 with `weights` (P,) at `points` (P, 2), each shared by its four pixels."""
    kernel = np.zeros((2 * rim + 1, 2 * rim + 1), np.float32)
    corner = np.floor(points).astype(int)
    beyond = points - corner
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = np.abs(1 - down - beyond[:, 0]) * np.abs(1 - right - beyond[:, 1])
        np.add.at(kernel, (corner[:, 0] + down + rim, corner[:, 1] + right + rim), weights * share)
    kernel /= kernel.sum()
    return kernel


def disk(radius: float) -> Floats:
    """Kernel (K, K) of a lens that is out of focus: a disk of `radius` pixels, its edge smooth."""
    line = np.linspace(-radius, radius, 8 * int(np.ceil(radius)) + 9)
    points = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    points = points[np.hypot(*points.T) <= radius]
    return _kernel(points, np.ones(len(points)), int(np.ceil(radius)) + 1)


def trails(angles: npt.NDArray[Any], radius: float, sigma: float) -> Floats:
    """Kernels (N, K, K) that smear to one side, fading as half a normal curve, over a length of 2 radius + 1 pixels."""
    along = np.linspace(0, 2 * radius, 4 * int(np.ceil(2 * radius)) + 1)
    weights = np.exp(-np.square(along / sigma) / 2)
    rim = int(np.ceil(2 * radius)) + 1
    ways = np.stack([np.sin(angles), np.cos(angles)], -1)
    return np.stack([_kernel(along[:, None] * way, weights, rim) for way in ways])


def zoomed(images: Floats, factor: float) -> Floats:
    """The middle of the images enlarged by `factor` ≥ 1, at the old size."""
    side = images.shape[1]
    source = (np.arange(side) - (side - 1) / 2) / factor + (side - 1) / 2
    weights = np.maximum(0, 1 - np.abs(source[:, None] - np.arange(side))).astype(np.float32)
    tall = np.einsum("ij,njkc->nikc", weights, images, optimize=True)
    enlarged: Floats = np.einsum("ij,nkjc->nkic", weights, tall, optimize=True)
    return enlarged


def plasma(images: Floats, decay: float, rng: np.random.Generator) -> Floats:
    """Cloud-like fields (N, S, S, 1) in 0 … 1 by midpoint displacement (diamond-square) on a torus."""
    side = 1 << (images.shape[1] - 1).bit_length()
    field = np.zeros((len(images), side, side), np.float32)
    step, reach = side, 1.0
    while step > 1:
        half = step // 2
        corners = field[:, ::step, ::step]
        around = corners + np.roll(corners, -1, 1) + np.roll(corners, -1, 2) + np.roll(corners, (-1, -1), (1, 2))
        middles = around / 4 + rng.uniform(-reach, reach, corners.shape)
        field[:, half::step, half::step] = middles
        beside = corners + np.roll(corners, -1, 2) + middles + np.roll(middles, 1, 1)
        field[:, ::step, half::step] = beside / 4 + rng.uniform(-reach, reach, corners.shape)
        below = corners + np.roll(corners, -1, 1) + middles + np.roll(middles, 1, 2)
        field[:, half::step, ::step] = below / 4 + rng.uniform(-reach, reach, corners.shape)
        step, reach = half, reach / decay
    field -= field.min(axis=(1, 2), keepdims=True)
    field /= field.max(axis=(1, 2), keepdims=True)
    return field[:, : images.shape[1], : images.shape[1], None]


def ice(images: Floats, rng: np.random.Generator) -> Floats:
    """Drawn frost (N, S, S, 3): bluish needles in three directions, thick where a cloud-like field is dense."""
    shape = (*images.shape[:3], 1)
    scale = images.shape[1] / ASSUMED_SIDE
    needles = np.zeros(shape, np.float32)
    for _ in range(3):
        seeds = (rng.random(shape, np.float32) < 0.004 / max(scale, 0.1)).astype(np.float32)
        ways = trails(rng.uniform(0, np.pi, len(images)), 15 * scale, 12 * scale)
        needles = np.maximum(needles, convolved(seeds, ways))
    needles /= np.maximum(needles.max(axis=(1, 2, 3), keepdims=True), 1e-6)
    cover = plasma(images, 1.7, rng)
    return np.clip(0.25 + 0.5 * cover + 0.6 * needles * cover, 0, 1) * np.array([0.85, 0.93, 1.0], np.float32)
