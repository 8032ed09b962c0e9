"""Iterated function systems: random affine maps, and the points that follow them (Kataoka et al. 2020)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.data.embedded.exact import cos, sin, spread, uniform
from sightline.data.embedded.field import SIDE, Field, nothing, over

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.data.embedded.exact import Floats
    from sightline.data.embedded.field import Formula

WALKERS, STEPS, BURN = 160, 48, 12
"""Points that follow the maps of a system at once, their steps, and those before they have come to its attractor."""


def systems(rng: np.random.Generator) -> Formula:
    """An iterated function system of two to five maps; up to three of its attractors in an image."""
    maps = int(rng.integers(2, 6))
    large = uniform(rng, 0.3, 0.9, maps)
    small = large * uniform(rng, 0.2, 1, maps)
    first, second = uniform(rng, 0, 1, maps), uniform(rng, 0, 1, maps)
    small = np.where(rng.random(maps) < 0.5, -small, small)
    a, b, c, d = cos(first), sin(first), cos(second), sin(second)
    linear = np.stack(
        [
            a * large * c - b * small * d,
            -a * large * d - b * small * c,
            b * large * c + a * small * d,
            -b * large * d + a * small * c,
        ]
    )  # (4, maps): the rows of each matrix
    offset = uniform(rng, -1, 1, 2, maps)
    share = np.abs(large * small) + 0.02
    bounds = np.cumsum(share) / np.cumsum(share)[-1]
    most = int(rng.integers(1, 4))

    def draw(rng: np.random.Generator, count: int) -> Field:
        below = nothing(count)
        for number in range(most):
            own = linear[:, None] * (1 + spread(rng, 0.07, 4, count, maps))
            moved = offset[:, None] + spread(rng, 0.06, 2, count, maps)
            x, y, which = _walk(rng, own, moved, bounds, count)
            value, cover = _plotted(rng, x, y, which, maps, 1.0 if most == 1 else 0.75)
            there = (rng.random((count, 1, 1)) < (1 if number == 0 else 0.6)).astype(np.float32)
            below = over(below, value, cover * there)
        return below

    return draw


def _walk(
    rng: np.random.Generator, linear: Floats, offset: Floats, bounds: Floats, count: int
) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Points (images, points) of the attractors, and the map that brought each of them there."""
    rows = np.arange(count)[:, None]
    x = y = np.zeros((count, WALKERS), np.float32)
    xs, ys, maps = [], [], []
    for step in range(STEPS):
        which = np.searchsorted(bounds, rng.random((count, WALKERS), dtype=np.float32), side="right")
        which = np.minimum(which, len(bounds) - 1)
        a, b, c, d = (one[rows, which] for one in linear)
        x, y = a * x + b * y + offset[0][rows, which], c * x + d * y + offset[1][rows, which]
        x, y = np.clip(x, -50, 50), np.clip(y, -50, 50)
        if step >= BURN:
            xs.append(x)
            ys.append(y)
            maps.append(which)
    return np.concatenate(xs, 1), np.concatenate(ys, 1), np.concatenate(maps, 1)


def _plotted(
    rng: np.random.Generator, x: Floats, y: Floats, which: NDArray[np.int64], maps: int, largest: float
) -> Field:
    """The points counted in pixels, the bulk of them fitted to a box of random size and place."""
    count, points = x.shape
    turned = uniform(rng, 0, 1, count, 1)
    c, s = cos(turned), sin(turned)
    places = []
    side = uniform(rng, 0.45 * largest, largest, count, 1)
    for values in (x * c - y * s, x * s + y * c):
        ordered = np.sort(values, 1)
        low, high = ordered[:, points // 50, None], ordered[:, -points // 50, None]
        start = uniform(rng, 0, 1, count, 1) * (1 - side)
        places.append(((values - low) / np.maximum(high - low, 1e-3) * side + start) * SIDE)
    column, row = (np.floor(np.clip(place, -1, SIDE)).astype(np.int64) for place in places)
    inside = (column >= 0) & (column < SIDE) & (row >= 0) & (row < SIDE)
    cell = (np.arange(count)[:, None] * SIDE + row) * SIDE + column
    hits = np.bincount(cell[inside], minlength=count * SIDE * SIDE).reshape(count, SIDE, SIDE)
    sums = np.bincount(cell[inside], weights=which[inside], minlength=count * SIDE * SIDE).reshape(hits.shape)
    value = (sums / np.maximum(hits, 1) / max(maps - 1, 1)).astype(np.float32)
    return Field(value, np.minimum(hits * np.float32(0.5), 1).astype(np.float32))
