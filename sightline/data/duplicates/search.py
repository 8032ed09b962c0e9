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
from sightline.data.duplicates.around import Around
from sightline.data.duplicates.crops import blurred, climb, correlation, likeness, slopes, view_of
from sightline.data.duplicates.hashing import FEW, Candidates, candidates, each, joined
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
    turned: Ints
    """(M, 2) such as are near duplicates only when one of them is turned."""
    siblings: Ints
    """(M, 2) such as are alike in what they share with others around them, and no copies."""


SAME, SAME_TURNED = 0.97, 0.985
"""Least correlation of the slopes of two near duplicates; of the seven other turns one is like by chance more often."""
SHOWN = 256
"""Pairs of a crowd that are looked at only to tell that its images are alike."""
SIEVES = ((16, 0.7, 1, 0.83), (32, 0.8, 3, 0.925))
"""What a pair must pass before it is decoded: side of the thumbnails, blur and steps of the fit, pixels, and the least
correlation of the slopes after it. Each loses one or two true pairs in a thousand."""
HELD = 512
"""Images that are kept, reduced, for the next pair: those around one are around its neighbours too."""
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
    found, shown = _among_siblings(thumbnails, look, fresh, load, found, around)
    loaded = lru_cache(maxsize=HELD)(load)

    def is_alike(part: Candidates) -> NDArray[np.bool_]:
        ends = zip(part.first.tolist(), part.second.tolist(), strict=True)
        like = likeness([(loaded(one), loaded(other)) for one, other in ends], part.window, part.turn)
        return like >= np.where(part.turn == 0, SAME, SAME_TURNED)

    def is_copy(part: Candidates) -> NDArray[np.bool_]:
        same = np.ones(len(part.first), dtype=bool)
        for row, ends in enumerate(zip(part.first.tolist(), part.second.tolist(), strict=True)):
            if others := [loaded(other) for other in around.others(*ends)]:
                one, other = (loaded(end) for end in ends)
                like, least = own_likeness(one, other, part.window[row], int(part.turn[row]), others)
                same[row] = like >= least
        return same

    found = found.take(np.lexsort((found.turn, found.second, found.first)))
    alike, shown = (pairs.take(_judged(is_alike, pairs)) for pairs in (found, shown))
    same = _judged(is_copy, alike)
    copies, rest = alike.take(same), joined([alike.take(~same), shown])
    kinds, known = [], np.zeros(0, dtype=np.int64)
    for pairs in (copies.take(copies.turn == 0), copies.take(copies.turn != 0), rest):
        numbers = np.setdiff1d(np.sort(pairs.ends, axis=1) @ (count, 1), known)
        kinds.append(np.stack(np.divmod(numbers, count), axis=1))
        known = np.union1d(known, numbers)
    return Found(*kinds)


def _judged(judge: Callable[[Candidates], NDArray[np.bool_]], pairs: Candidates) -> NDArray[np.bool_]:
    parts = [pairs.take(slice(at, at + LITTLE)) for at in range(0, len(pairs.first), LITTLE)]
    return np.concatenate([np.zeros(0, dtype=bool), *each(judge, parts)])


def _among_siblings(
    thumbnails: NDArray[np.uint8],
    look: Look,
    fresh: NDArray[np.bool_],
    load: Callable[[int], Image.Image],
    found: Candidates,
    around: Around,
) -> tuple[Candidates, Candidates]:
    """In place of the pairs within crowds those that are alike in what is their own; and some of these pairs."""
    kept, parts, shown = np.ones(len(found.first), dtype=bool), [], [found.take(slice(0, 0))]
    for members in around.crowds.values():
        inside = np.isin(found.ends, members)
        kept &= ~inside.any(axis=1)
        among = np.flatnonzero(inside.all(axis=1) & (found.turn == 0))
        shown.append(found.take(among[:: -(-len(among) // SHOWN)]))
        guests, turns = found.second[inside[:, 0]], found.turn[inside[:, 0]]
        hosts, undone = found.first[inside[:, 1]], UNDONE[found.turn[inside[:, 1]]]
        entries = np.stack([np.concatenate([members, guests, hosts]), np.concatenate([members * 0, turns, undone])])
        new = siblings.candidates(load, *np.unique(entries, axis=1))
        parts.append(likely(thumbnails, look, new.take(fresh[new.first] | fresh[new.second])))
    return joined([found.take(kept), *parts]), joined(shown)


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

    return joined([found.take(slice(0, 0)), *each(passed, range(0, len(found.first), LOT))])
