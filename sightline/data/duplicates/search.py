"""Near duplicates: images that are copies of one another but for size, compression, a turn or a narrow crop.

Candidates come from hashes. The crop is fitted on the thumbnails (Lucas and Kanade 1981); what agrees there is decoded,
and the pixels decide: the slopes of the two pictures must correlate. Slopes, not grey levels: two handwritten ones are
as alike in grey as two copies of one of them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sightline.data.duplicates import siblings
from sightline.data.duplicates.around import DOZENS, Around
from sightline.data.duplicates.crops import blurred, climb, correlation, likeness, slopes, view_of
from sightline.data.duplicates.hashing import FEW, Candidates, candidates, each
from sightline.data.duplicates.templates import own_likeness
from sightline.data.duplicates.turns import UNDONE, turned_each
from sightline.data.files.statistics import HASHED, half

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from PIL import Image

    from sightline.data.duplicates.turns import Ints

    Look = Callable[[Ints], NDArray[np.uint8]]


class Found(NamedTuple):
    """Pairs of images, the smaller index first."""

    copies: Ints
    """(M, 2) near duplicates."""
    siblings: Ints
    """(M, 2) such as are alike in what they share with others around them, and no copies."""


SAME = 0.97
"""Least correlation of the slopes of two near duplicates."""
SIEVES = ((16, 0.7, 1, 0.83), (32, 0.8, 3, 0.925))
"""What a pair must pass before it is decoded: side of the thumbnails, blur and steps of the fit, pixels, and the least
correlation of the slopes after it. Each loses one or two true pairs in a thousand."""
LITTLE = 16
"""Pairs that are decoded at once."""
LOT = 256
"""Pairs whose pixels are worked on at once: they stay in the processor's cache."""


def find(look: Look, fresh: NDArray[np.bool_], load: Callable[[int], Image.Image]) -> Found:
    """Near duplicates among N images, of which at least one is `fresh` (N,).

    `look` gives the thumbnails (M, SIDE, SIDE) of M indices, as those of `statistics`; `load` gives the grey image of
    one, and is asked only for candidates and what lies around them.
    """
    count = len(fresh)
    halves = each(lambda at: half(look(np.arange(at, min(at + FEW, count)))), range(0, count, FEW))
    thumbnails = np.concatenate([np.zeros((0, HASHED, HASHED), dtype=np.uint8), *halves])
    found = likely(thumbnails, look, candidates(thumbnails, fresh))
    around = Around(thumbnails, found)
    found, links = _among_siblings(thumbnails, look, fresh, load, found, around)
    found = found.take(np.lexsort((found.turn, found.second, found.first)))
    loaded = lru_cache(maxsize=128)(load)

    def is_copy(part: Candidates) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        ends = list(zip(part.first.tolist(), part.second.tolist(), strict=True))
        alike = likeness([(loaded(one), loaded(other)) for one, other in ends], part.window, part.turn) >= SAME
        same = alike.copy()
        for row in np.flatnonzero(alike).tolist():
            if others := around.others(*ends[row]):
                pictures = [loaded(other) for other in others]
                one, other = (loaded(end) for end in ends[row])
                like, least = own_likeness(one, other, part.window[row], int(part.turn[row]), pictures)
                same[row] = like >= least
        return same, alike & ~same

    judged = each(is_copy, [found.take(slice(at, at + LITTLE)) for at in range(0, len(found.first), LITTLE)])
    nothing = np.zeros(0, dtype=bool)
    copies, others = (
        (np.concatenate([nothing, *parts]) for parts in zip(*judged, strict=True)) if judged else (nothing, nothing)
    )
    pairs = np.sort(np.stack([found.first, found.second], axis=1), axis=1)
    return Found(np.unique(pairs[copies], axis=0), np.unique(np.concatenate([links, pairs[others]]), axis=0))


def _among_siblings(
    thumbnails: NDArray[np.uint8],
    look: Look,
    fresh: NDArray[np.bool_],
    load: Callable[[int], Image.Image],
    found: Candidates,
    around: Around,
) -> tuple[Candidates, Ints]:
    """In place of the pairs within crowds those that are alike in what is their own; and a pair for each other member."""
    links, kept = [np.zeros((0, 2), dtype=np.int64)], np.ones(len(found.first), dtype=bool)
    parts = []
    for crowd in np.unique(around.crowd[around.size > DOZENS]).tolist():
        inside = np.stack([around.crowd[found.first], around.crowd[found.second]], axis=1) == crowd
        kept &= ~inside.any(axis=1)
        members = np.flatnonzero(around.crowd == crowd)
        guests, turns = found.second[inside[:, 0]], found.turn[inside[:, 0]]
        hosts, undone = found.first[inside[:, 1]], UNDONE[found.turn[inside[:, 1]]]
        entries = np.stack([np.concatenate([members, guests, hosts]), np.concatenate([members * 0, turns, undone])])
        new = siblings.candidates(load, *np.unique(entries, axis=1))
        parts.append(likely(thumbnails, look, new.take(fresh[new.first] | fresh[new.second])))
        links.append(np.stack([np.full(len(members) - 1, members[0]), members[1:]], axis=1))
    together = [found.take(kept), *parts]
    return Candidates(*(np.concatenate(columns) for columns in zip(*together, strict=True))), np.concatenate(links)


def likely(thumbnails: NDArray[np.uint8], look: Look, found: Candidates) -> Candidates:
    """Keep the candidates that pass the SIEVES, each with the window that fits best."""

    def passed(start: int) -> Candidates:
        left = found.take(slice(start, start + LOT))
        for side, blur, steps, least in SIEVES:
            ends = (thumbnails[end] if side == HASHED else look(end) for end in (left.first, left.second))
            first, second = (blurred(pictures.astype(np.float32), blur) for pictures in ends)
            second = turned_each(second, left.turn)
            windows = climb(first, second, left.window, steps)
            agree = correlation(slopes(view_of(first, windows)), slopes(second)) >= least
            left = left._replace(window=windows).take(agree)
        return left

    parts = [found.take(slice(0, 0)), *each(passed, range(0, len(found.first), LOT))]
    return Candidates(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
