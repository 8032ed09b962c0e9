"""Whether two pictures share more than what is common to all around them.

Photographs of parts in one jig, by a camera that does not move, are as alike as copies are: the same frame, the same
bars. A copy shares what is particular to it: a spot, a scratch, the grain. So what other pictures show that are like
both is taken out of both, and what remains is compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.data.duplicates.crops import WHOLE, blurred, climb, correlation, pixels, slopes, view_of
from sightline.data.duplicates.turns import turned

if TYPE_CHECKING:
    from PIL import Image

    from sightline.data.duplicates.crops import Floats

SIDE = 128
"""Height and width at which pictures are compared, pixels; smaller ones at their own: a scratch must be seen."""
COARSE = 32
"""Height and width at which it is found where each lies, pixels."""
LEAST, APART = float(np.arctanh(0.5)), 0.3
"""What the correlation must be at least, and how far above that of the others; by Fisher's transform, in which
differences mean the same everywhere."""
REACH = 0.1
"""How far a part may have moved below the camera, share of the side."""


def own_likeness(
    first: Image.Image, second: Image.Image, window: Floats, turn: int, others: list[Image.Image]
) -> tuple[float, float]:
    """How alike the window (4,) of `first`, and `second` in its turn, are in what is their own; and what that must be.

    The first is the correlation of what both have beyond what `others` show. The second is LEAST, or more where the
    others are alike in it too, so that it is not their own.
    """
    side = min(SIDE, *first.size, *second.size)
    whole, target = pixels(first, side), turned(pixels(second, side), turn)
    window = climb(blurred(whole, 1.0)[None], blurred(target, 1.0)[None], window[None], 2)[0]
    top, bottom, left, right = window.tolist()
    part = pixels(first, side, (left * first.width, top * first.height, right * first.width, bottom * first.height))
    around = _around(first, others, window, side)
    template = np.median(around, axis=0)
    mine, yours = (beyond(seen[None], _fitted(template, seen))[0] for seen in (part, target))
    theirs = beyond(around, template)
    common_still = np.sort(np.maximum(correlation(theirs, mine), correlation(theirs, yours)))
    # Two others may be copies as well.
    floor = common_still[-min(3, len(common_still))]
    return float(correlation(mine, yours)), float(np.tanh(max(LEAST, np.arctanh(np.clip(floor, -0.99, 0.99)) + APART)))


def beyond(images: Floats, template: Floats) -> Floats:
    """Slopes of images (N, S, S) without what the template (S, S) makes of them: (N, …)."""
    seen = slopes(images)
    common = _basis(template).astype(seen.dtype)
    result: Floats = seen - (seen @ common) @ common.T
    return result


def _fitted(template: Floats, image: Floats) -> Floats:
    """The template where the image shows it: what is the image's own misleads each fit in another way."""
    window = climb(blurred(template, 1.0)[None], blurred(image, 1.0)[None], WHOLE, 4, REACH)
    seen: Floats = view_of(template[None], window)[0]
    return seen


def _around(first: Image.Image, others: list[Image.Image], window: Floats, side: int) -> Floats:
    """What `others` show where the window of `first` lies: (K, side, side), of mean 0 and spread 1."""
    # Where they lie is found on small pictures, in which the details that differ mislead less.
    coarse = min(COARSE, side)
    small = np.stack([blurred(pixels(image, coarse), 0.8) for image in (first, *others)])
    places = climb(small[1:], small[:1].repeat(len(others), 0), WHOLE.repeat(len(others), 0), 3, REACH)
    low, size = places[:, ::2], places[:, 1::2] - places[:, ::2]
    start, end = low + window[::2] * size, low + window[1::2] * size
    inside = np.stack([start[:, 0], end[:, 0], start[:, 1], end[:, 1]], axis=1)
    return evened(view_of(np.stack([pixels(other, side) for other in others]), inside))


def evened(images: Floats) -> Floats:
    """Images (N, S, S) with mean 0 and spread 1 each."""
    spread = np.maximum(images.std((1, 2), keepdims=True), 1e-6)
    result: Floats = (images - images.mean((1, 2), keepdims=True)) / spread
    return result


def _basis(template: Floats) -> Floats:
    """What a template makes of slopes, orthonormal: itself, a little moved or stretched, blurred, and unevenly lit."""
    side = len(template)
    down, across = np.gradient(template)
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    moved = (down, across, rows * down, columns * across)
    looks = (template, *moved, blurred(template, 1.0), rows * template, columns * template)
    basis: Floats = np.linalg.qr(slopes(np.stack(looks)).T)[0]
    return basis
