"""Whether one picture is a window of another: the window is fitted, and the slopes of both are correlated there."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from sightline.data.duplicates.turns import turned
from sightline.data.files.statistics import interpolate, shrink

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from sightline.data.duplicates.turns import Ints
    from sightline.data.files.statistics import Window

    Floats = NDArray[np.float64]

WHOLE = np.array([[0.0, 1.0, 0.0, 1.0]])
"""The window that is the whole image: top, bottom, left and right."""
NOTHING = 1e-12
"""Smaller weights of a blur show in no sum; as denormal numbers they would make it ten times as slow."""
DETAIL = 24
"""Height and width at which decoded pixels are compared, pixels; smaller images at their own."""


def slopes(images: Floats) -> Floats:
    """Differences of neighbouring pixels, down and across, of images (…, H, W): (…, 2·(H-1)·(W-1))."""
    down, across = np.diff(images, axis=-2)[..., 1:], np.diff(images, axis=-1)[..., 1:, :]
    shape = *images.shape[:-2], down.shape[-2] * down.shape[-1]
    return np.concatenate([down.reshape(shape), across.reshape(shape)], axis=-1)


def likeness(pairs: list[tuple[Image.Image, Image.Image]], windows: Floats, turns: Ints) -> Floats:
    """Correlation of the slopes of M pairs of grey images, (M,): a window (M, 4) of the first and the turned second."""
    found = np.zeros(len(pairs))
    for row, ((first, second), window, turn) in enumerate(zip(pairs, windows.tolist(), turns.tolist(), strict=True)):
        side = min(DETAIL, *first.size, *second.size)
        top, bottom, left, right = window
        box = (left * first.width, top * first.height, right * first.width, bottom * first.height)
        found[row] = correlation(slopes(pixels(first, side, box)), slopes(turned(pixels(second, side), turn)))
    return found


def pixels(grey: Image.Image, side: int, box: Window | None = None) -> Floats:
    """The grey image, or its window `box` (left, top, right, bottom, pixels), as a square of `side` pixels."""
    return np.asarray(shrink(grey, side, box), dtype=np.float64)


def correlation(first: Floats, second: Floats) -> Floats:
    """Pearson's correlation of (…, N) values each, (…); 0 where one of the two does not vary."""
    first, second = first - first.mean(-1, keepdims=True), second - second.mean(-1, keepdims=True)
    spread = np.sqrt((first**2).sum(-1) * (second**2).sum(-1))
    result: Floats = (first * second).sum(-1) / np.where(spread > 0, spread, 1.0)
    return result


def view_of(images: Floats, edges: Floats) -> Floats:
    """Windows (M, 4) of images (M, S, S), at their size."""
    side = images.shape[-1]
    points, edges = ((np.arange(side) + 0.5) / side).astype(images.dtype), edges.astype(images.dtype)
    rows, columns = (interpolate(edges[:, at : at + 2], points, side) for at in (0, 2))
    view: Floats = rows @ images @ columns.transpose(0, 2, 1)
    return view


def climb(images: Floats, targets: Floats, edges: Floats, steps: int, beyond: float = 0.0) -> Floats:
    """Move the windows (M, 4) by steps of least squares, each on the slopes of the images where they lie by then.

    They may reach `beyond` the edges of the image, a share of its side.
    """
    lowest, highest = (-beyond, 0.8, -beyond, 0.8), (0.2, 1 + beyond, 0.2, 1 + beyond)
    side = images.shape[-1]
    points = (np.arange(side, dtype=images.dtype) + 0.5) / side
    far, near = 1 - points[:, None], points[:, None]
    wanted = targets.reshape(len(targets), side * side, 1)
    basis = np.ones((len(images), 6, side, side), dtype=images.dtype)
    for _ in range(steps):
        view = view_of(images, edges)
        down, across = (slope * side for slope in np.gradient(view, axis=(1, 2)))
        parts = (down * far, down * near, across * far.T, across * near.T, view)
        for place, part in enumerate(parts):
            basis[:, place] = part
        flat = basis.reshape(len(images), 6, side * side)
        gram = (flat @ flat.transpose(0, 2, 1)).astype(np.float64)
        # A little of the diagonal keeps it solvable where a picture varies in one direction only.
        gram += np.eye(6) * (1e-9 + 1e-7 * np.trace(gram, axis1=1, axis2=2)[:, None, None])
        answer = np.linalg.solve(gram, (flat @ wanted).astype(np.float64))[..., 0]
        # A picture of which the other is the negative has no better place.
        gain = np.where(answer[:, 4:5] > 0, answer[:, 4:5], np.inf)
        # The slopes are those of the window: its own are steeper by what it leaves out.
        width = np.repeat(edges[:, 1::2] - edges[:, ::2], 2, axis=1)
        step = np.clip(answer[:, :4] / gain * width, -0.03, 0.03)
        edges = np.clip(edges + step, lowest, highest)
    return edges


def blurred(images: Floats, blur: float) -> Floats:
    """Images (…, S, S) under a Gaussian blur of so many pixels."""
    matrix = _blur(images.shape[-1], blur).astype(images.dtype)
    result: Floats = matrix @ images @ matrix.T
    return result


@cache
def _blur(side: int, blur: float) -> Floats:
    grid = np.arange(side)
    weights = np.exp(-((grid[:, None] - grid) ** 2) / (2 * blur**2))
    weights[weights < NOTHING] = 0
    result: Floats = weights / weights.sum(1, keepdims=True)
    return result
