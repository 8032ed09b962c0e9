"""Copies among dozens that are alike: hashes tell nothing, so what each has of its own is compared, all with all."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from sightline.data.duplicates.crops import WHOLE, blurred, climb, pixels, slopes, view_of
from sightline.data.duplicates.hashing import Candidates, each
from sightline.data.duplicates.templates import REACH, beyond, evened
from sightline.data.duplicates.turns import turned_each

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from PIL import Image

    from sightline.data.duplicates.crops import Floats
    from sightline.data.duplicates.turns import Ints

SIDE = 64
"""Height and width at which they are compared, pixels: at the 32 of the thumbnails, a scratch is as faint as noise."""
LOT = 64
"""Images that are worked on at once."""
SAMPLE = 256
"""Images that the template is made of."""
WAYS = 8
"""Ways in which siblings vary most (light, pose), which are no image's own."""
NUMBERS = 1024
"""Numbers that stand for what an image has of its own: random sums of it, whose products err by .03."""
NEAREST, LIKE = 6, 0.18
"""Of those whose own part correlates by so much, so many are looked at."""
ROUNDING = 1e-4
"""What an image has of its own is rounding below this share of its slopes: brought to length 1, chance would match."""
ROWS = 1024
"""Images compared with all the others at once."""


def candidates(load: Callable[[int], Image.Image], members: Ints, turns: Ints) -> Candidates:
    """Pairs among `members` (N,), each as it lies in its turn, whose own parts are alike; of which one is not turned.

    `load` gives the grey image of a member; each is asked for once or twice.
    """
    order = np.lexsort((members, turns))
    members, turns = members[order], turns[order]
    own, places = _own(load, members, turns)
    found = [np.zeros((0, 2), dtype=np.int64)]
    upright = int((turns == 0).sum())
    for at in range(0, upright, ROWS):
        rows = np.arange(at, min(at + ROWS, upright))
        likeness = own[rows] @ own.T
        likeness[members[rows, None] == members] = -1
        best = np.argsort(-likeness, axis=1, kind="stable")[:, :NEAREST]
        near = np.take_along_axis(likeness, best, axis=1) >= LIKE
        found.append(np.stack([np.broadcast_to(rows[:, None], best.shape)[near], best[near]], axis=1))
    one, other = np.concatenate(found).T
    # Of two that are not turned each may have asked for the other; the narrower one is the crop.
    size = np.ptp(places[:, :2], axis=1) + np.ptp(places[:, 2:], axis=1)
    larger = (size[other] > size[one]) | ((size[other] == size[one]) & (other < one))
    swapped = (other < upright) & larger
    one, other = np.unique(np.stack([np.where(swapped, other, one), np.where(swapped, one, other)]), axis=1)
    return Candidates(members[one], members[other], _inside(places[one], places[other]), turns[other])


def _own(load: Callable[[int], Image.Image], members: Ints, turns: Ints) -> tuple[NDArray[np.float32], Floats]:
    """What each image has beyond what all show, (N, NUMBERS) of length 1; and which window of the template it shows."""

    def seen(rows: Ints) -> Floats:
        pictures = np.stack([pixels(load(image), SIDE) for image in members[rows].tolist()])
        return evened(blurred(turned_each(pictures, turns[rows]).astype(np.float32), 0.8))

    def lots(rows: Ints) -> list[Ints]:
        return [rows[at : at + LOT] for at in range(0, len(rows), LOT)]

    sample = np.concatenate(each(seen, lots(np.arange(0, len(members), -(-len(members) // SAMPLE)))))
    template = np.median(sample, axis=0)
    for _ in range(2):
        template = np.median(_back(sample, _placed(sample, template)), axis=0)
    known = beyond(_back(sample, _placed(sample, template)), template)
    known /= np.maximum(np.linalg.norm(known, axis=1, keepdims=True), 1e-6)
    ways, sums = _ways(known, min(WAYS, len(sample) // 32)), _sums(known.shape[1])

    def of_lot(rows: Ints) -> tuple[NDArray[np.float32], Floats]:
        pictures = seen(rows)
        where = _placed(pictures, template)
        placed = _back(pictures, where)
        its: NDArray[np.float32] = beyond(placed, template).astype("f4")
        its -= (its @ ways.T) @ ways
        its[np.linalg.norm(its, axis=1) <= ROUNDING * np.linalg.norm(slopes(placed), axis=1)] = 0
        parts = its @ sums
        return parts / np.maximum(np.linalg.norm(parts, axis=1, keepdims=True), 1e-6), where

    own, places = zip(*each(of_lot, lots(np.arange(len(members)))), strict=True)
    return np.concatenate(own), np.concatenate(places)


def _ways(known: Floats, count: int) -> NDArray[np.float32]:
    """The `count` ways, (count, P) of length 1, in which N of (N, P) vary most: right singular vectors.

    By way of the N × N products, of which there are fewer than pixels.
    """
    ways = np.linalg.eigh(known @ known.T)[1][:, : -count - 1 : -1].T @ known
    result: NDArray[np.float32] = (ways / np.maximum(np.linalg.norm(ways, axis=1, keepdims=True), 1e-6)).astype("f4")
    return result


@cache
def _sums(pixels: int) -> NDArray[np.float32]:
    """Signs (pixels, NUMBERS) of the random sums, the same for all crowds."""
    return np.random.default_rng(0).choice(np.array([-1, 1], dtype=np.float32), (pixels, NUMBERS))


def _placed(pictures: Floats, template: Floats) -> Floats:
    """Which windows (N, 4) of the template the pictures (N, S, S) show."""
    count = len(pictures)
    return climb(template[None].repeat(count, 0), pictures, WHOLE.repeat(count, 0), 3, REACH)


def _back(pictures: Floats, places: Floats) -> Floats:
    """The pictures as they would lie in the template's place."""
    low, size = places[:, ::2], places[:, 1::2] - places[:, ::2]
    edges = np.stack([-low / size, (1 - low) / size], axis=2)
    return evened(view_of(pictures, edges.reshape(-1, 4)))


def _inside(one: Floats, other: Floats) -> Floats:
    """Where in pictures that show the windows `one` (M, 4) of a template those that show `other` lie, (M, 4)."""
    low, size = one[:, ::2], one[:, 1::2] - one[:, ::2]
    edges = np.stack([(other[:, ::2] - low) / size, (other[:, 1::2] - low) / size], axis=2)
    return np.clip(edges.reshape(-1, 4), (0, 0.8, 0, 0.8), (0.2, 1, 0.2, 1))
