"""Candidates for near duplicates, from hashes: never are all compared with all.

An image is hashed whole and in 16 windows, one of them within 3 % a side of any crop of up to 10 % a side; a pair is
looked at when the whole of one, in any of its eight turns, and a window of the other agree in all bits of one of 48
samples of their hashes (bit sampling: Indyk and Motwani 1998).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

from sightline.data.duplicates.turns import TURNS, UNDONE, turned_hashes
from sightline.data.files.statistics import HASHED, hashes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from sightline.data.duplicates.crops import Floats

    Ints = NDArray[np.int64]

R = TypeVar("R")

EDGES = (0.02, 0.08)
"""Where a window begins, and how far before the end it ends, shares of the side."""
WINDOWS = np.array([(0, 1, 0, 1), *((t, 1 - b, le, 1 - r) for t, b, le, r in product(EDGES, repeat=4))], dtype=float)
"""Top, bottom, left and right of the whole and of every window."""
TABLES, KEY_BITS, KEY_POOL = 48, 20, 45
"""Samples of the hash, bits of each, and the lowest frequencies that they are drawn from (the more robust ones)."""
FAR = 11
"""Hashes that differ in more of their 63 bits are not looked at."""
BLANK = 3.0
"""Thumbnails that vary less than this (standard deviation, grey levels) look like all of their kind: left out."""
SPREAD = 0.05
"""Least share of a thumbnail's pixels that differ from its median by BLANK: a spot on an even ground tells nothing."""
BUCKET = 32
"""Of the images that share a key, so many are compared with each: thousands of frames of one scene are joined through
those few, in every table through others. Where fewer share a key, all are."""
ALL = 64
"""So few images are all compared with one another: a part in a jig may differ from its crop in many bits."""
FEW = 64
"""Images whose pixels are worked on at once: they stay in the processor's cache."""
CHUNK = 2048
"""Images whose hashes are worked on at once: bounds the memory."""


class Candidates(NamedTuple):
    """M pairs: image `second`, turned by `turn`, may be the window `window` of image `first`."""

    first: Ints
    second: Ints
    window: Floats
    """Top, bottom, left and right (M, 4)."""
    turn: Ints

    def take(self, rows: Ints | NDArray[np.bool_] | slice) -> Candidates:
        """Those in `rows`."""
        return Candidates(self.first[rows], self.second[rows], self.window[rows], self.turn[rows])

    @property
    def ends(self) -> Ints:
        """First and second side by side, (M, 2)."""
        return np.stack([self.first, self.second], axis=1)


def joined(parts: list[Candidates]) -> Candidates:
    """Put the candidates of at least one part one behind the other."""
    return Candidates(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


class Hits(NamedTuple):
    """M pairs of an image and another one's turn that share a key."""

    first: Ints
    second: Ints
    view: Ints
    """Number of the window, and of the turn times the windows that there are."""
    distance: Ints


def candidates(thumbnails: NDArray[np.uint8], fresh: NDArray[np.bool_]) -> Candidates:
    """Pairs whose hashes nearly agree, at least one of the two fresh; each pair once in every turn, in its best window.

    `thumbnails` are halved ones, (N, HASHED, HASHED).
    """
    usable = np.flatnonzero(_tells(thumbnails))
    views, young = _views(thumbnails[usable]), fresh[usable]
    everyone, new, old = np.arange(len(usable)), np.flatnonzero(young), np.flatnonzero(~young)
    wholes = turned_hashes(views[:, 0])
    rng = np.random.default_rng(0)
    samples = [rng.choice(KEY_POOL, KEY_BITS, replace=False) for _ in range(TABLES)]

    def best_of(bits: Ints) -> Hits:
        # The new ones ask all, and the known ones ask the new; turned ones do not crowd out those that lie as they are.
        asked = ((new, everyone), (old, new))
        ways = (np.arange(1), np.arange(1, TURNS))
        found = [_close(views, who, wholes, whom, turns, bits) for who, whom in asked for turns in ways]
        return _once([part for parts in found for part in parts], len(usable))

    best = _once(each(best_of, samples), len(usable))
    turn, window = np.divmod(best.view, len(WINDOWS))
    order = np.lexsort((best.distance, turn > 0, best.first))
    asking = best.first[order] * 2 + (turn[order] > 0)
    kept = np.sort(order[np.arange(len(order)) - np.searchsorted(asking, asking) < BUCKET])
    found = Candidates(usable[best.first[kept]], usable[best.second[kept]], WINDOWS[window[kept]], turn[kept])
    return joined([found, _all(usable, young)]) if len(usable) <= ALL else found


def _all(images: Ints, young: NDArray[np.bool_]) -> Candidates:
    """Each pair of the images of which one is young, as they lie."""
    one, other = np.triu_indices(len(images), 1)
    one, other = (ends[young[one] | young[other]] for ends in (one, other))
    return Candidates(images[one], images[other], WINDOWS[[0]].repeat(len(one), 0), np.zeros(len(one), dtype=np.int64))


def _tells(thumbnails: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether there is enough in a thumbnail to know it by, (N,)."""

    def of_chunk(start: int) -> NDArray[np.bool_]:
        pixels = thumbnails[start : start + FEW].reshape(-1, HASHED**2).astype(np.float32)
        away = np.abs(pixels - np.median(pixels, axis=1, keepdims=True)) >= BLANK
        distinct: NDArray[np.bool_] = (pixels.std(axis=1) >= BLANK) & (away.mean(axis=1) >= SPREAD)
        return distinct

    return np.concatenate([np.zeros(0, dtype=bool), *each(of_chunk, range(0, len(thumbnails), FEW))])


def each(work: Callable[[Any], R], items: Iterable[Any]) -> list[R]:
    """Do the work on all cores: NumPy lets other threads run meanwhile. The order is that of the items.

    Products take one thread each: several in each of ours would wait for one another, for minutes on a busy machine.
    """
    with _products().limit(limits=1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, items))


@cache
def _products() -> ThreadpoolController:
    """The libraries that multiply matrices, found once."""
    return ThreadpoolController()


def _views(thumbnails: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Hashes of N images in all windows, (N, W); the first is that of the whole."""
    windows = tuple((top, bottom, left, right) for top, bottom, left, right in WINDOWS.tolist())
    starts = range(0, len(thumbnails), FEW)
    found = each(lambda start: hashes(thumbnails[start : start + FEW], windows), starts)
    return np.concatenate([np.zeros((0, len(WINDOWS)), dtype=np.uint64), *found])


def _close(
    views: NDArray[np.uint64], asking: Ints, wholes: NDArray[np.uint64], asked: Ints, turns: Ints, bits: Ints
) -> list[Hits]:
    """Pairs of images that share a key and whose hashes are close.

    A window of an image of `asking` is compared with the whole of the images of `asked`, in the `turns`, that have the
    same `bits`.
    """
    if not len(asking) or not len(asked):
        return []
    seen_so = wholes[np.ix_(turns, asked)].ravel()
    keys = _keys(_octets(seen_so), bits)
    # Another order in each table, so that a crowd meets other members of itself.
    shuffled = np.random.default_rng(bits).permutation(len(seen_so))
    by_key = shuffled[np.argsort(keys[shuffled], kind="stable")]
    order, turn, there, keys = asked[by_key % len(asked)], turns[by_key // len(asked)], seen_so[by_key], keys[by_key]
    taken = np.zeros(2**KEY_BITS, dtype=bool)
    taken[keys] = True
    parts = []
    for at in range(0, len(asking), CHUNK):
        members = asking[at : at + CHUNK]
        seen = views[members].ravel()
        wanted = _keys(_octets(seen), bits)
        shared = np.flatnonzero(taken[wanted])
        # Images of the wanted key are order[start : end].
        start, end = (np.searchsorted(keys, wanted[shared], side) for side in ("left", "right"))
        counts = np.minimum(end - start, BUCKET)
        view = np.repeat(shared, counts)
        place = np.arange(len(view)) - np.repeat(np.cumsum(counts) - counts - start, counts)
        first, second = members[view // len(WINDOWS)], order[place]
        distance = np.bitwise_count(seen[view] ^ there[place]).astype(np.int64)
        near = (distance <= FAR) & (first != second)
        seen_as = view % len(WINDOWS) + turn[place] * len(WINDOWS)
        parts.append(Hits(first[near], second[near], seen_as[near], distance[near]))
    return parts


def _octets(views: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """The bytes (N, 8) of hashes (N,), the lowest first."""
    return views.astype("<u8", copy=False).view(np.uint8).reshape(-1, 8)


def _keys(octets: NDArray[np.uint8], bits: Ints) -> Ints:
    """Put the chosen bits of each hash together as a number, (N,); `octets` (N, 8) are its bytes, the lowest first."""
    keys = np.zeros(len(octets), dtype=np.int64)
    for place in range(-(-KEY_POOL // 8)):
        # What each value of this byte adds to the key.
        part = np.zeros(256, dtype=np.int64)
        for number in np.flatnonzero(bits // 8 == place):
            part |= (np.arange(256) >> (bits[number] % 8) & 1) << number
        keys |= part[octets[:, place]]
    return keys


def _once(parts: list[Hits], count: int) -> Hits:
    """Each pair of `count` images once in every turn, whichever is first, at its smallest distance."""
    if not parts:
        nothing = np.zeros(0, dtype=np.int64)
        return Hits(nothing, nothing, nothing, nothing)
    first, second, view, distance = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    turn = view // len(WINDOWS)
    # Of two that are exchanged, the turn is undone: a quarter to the left for one to the right.
    undone = np.where(first < second, turn, UNDONE[turn])
    pair = (np.minimum(first, second) * count + np.maximum(first, second)) * TURNS + undone
    order = np.lexsort((view, first, distance, pair))
    kept = order[np.concatenate([[True], pair[order][1:] != pair[order][:-1]])] if len(order) else order
    return Hits(first[kept], second[kept], view[kept], distance[kept])
