"""Near duplicates: images that are copies of one another but for size, compression or a narrow crop.

Candidates come from hashing, never from comparing all with all. An image is hashed whole and in 16 windows, one of them
within 3 % a side of any crop of up to 10 % a side; a pair is looked at when the whole of one and a window of the other
agree in all bits of one of 48 samples of their hashes (bit sampling: Indyk and Motwani 1998). The crop is fitted on the
thumbnails (Lucas and Kanade 1981); what agrees there is decoded, and the pixels decide: the slopes of the two pictures
must correlate. Slopes, not grey levels: two handwritten ones are as alike in grey as two copies of one of them.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from sightline.data.duplicates.crops import blurred, climb, correlation, likeness, slopes, view_of
from sightline.data.files.statistics import HASHED, half, hashes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray
    from PIL import Image

    from sightline.data.duplicates.crops import Floats

    Ints = NDArray[np.int64]
    Pairs = tuple[Ints, Ints, Ints, Ints]
    Look = Callable[[Ints], NDArray[np.uint8]]

R = TypeVar("R")

SAME = 0.97
"""Least correlation of the slopes of two near duplicates."""
EDGES = (0.02, 0.08)
"""Where a window begins, and how far before the end it ends, shares of the side."""
WINDOWS = np.array([(0, 1, 0, 1), *((t, 1 - b, le, 1 - r) for t, b, le, r in product(EDGES, repeat=4))], dtype=float)
"""Top, bottom, left and right of the whole and of every window."""
TABLES, KEY_BITS, KEY_POOL = 48, 20, 45
"""Samples of the hash, bits of each, and the lowest frequencies that they are drawn from (the more robust ones)."""
FAR = 11
"""Hashes that differ in more of their 63 bits are not looked at."""
SIEVES = ((16, 0.7, 1, 0.83), (32, 0.8, 3, 0.925))
"""What a pair must pass before it is decoded: side of the thumbnails, blur and steps of the fit, pixels, and the least
correlation of the slopes after it. Each loses one or two true pairs in a thousand."""
BLANK = 3.0
"""Thumbnails that vary less than this (standard deviation, grey levels) look like all of their kind: left out."""
BUCKET = 32
"""Of the images that share a key, so many are compared with each: thousands of frames of one scene are joined through
those few, in every table through others. Where fewer share a key, all are."""
CROWD = 64
"""Two images that are in one group of more than this already are not confirmed once more."""
SPREAD = 0.05
"""Least share of a thumbnail's pixels that differ from its median by BLANK: a spot on an even ground tells nothing."""
TURN = 512
"""Pairs between two looks at how large the groups have grown."""
FEW, LOT = 64, 256
"""Images, and pairs, whose pixels are worked on at once: they stay in the processor's cache."""
CHUNK = 2048
"""Images whose hashes are worked on at once: bounds the memory."""


class Candidates(NamedTuple):
    """M pairs: image `second` may be the window `window` of image `first`."""

    first: Ints
    second: Ints
    window: Floats
    """Top, bottom, left and right (M, 4)."""

    def take(self, rows: Ints | NDArray[np.bool_] | slice) -> Candidates:
        """Those in `rows`."""
        return Candidates(self.first[rows], self.second[rows], self.window[rows])


def find(look: Look, fresh: NDArray[np.bool_], load: Callable[[int], Image.Image]) -> Ints:
    """Pairs (M, 2) of near duplicates among N images of which at least one is `fresh` (N,); the smaller index first.

    `look` gives the thumbnails (M, SIDE, SIDE) of M indices, as those of `statistics`; `load` gives the grey image of
    one, and is asked only for candidates. A pair is judged by its two images alone: images that come later change
    nothing about it.
    """
    count = len(fresh)
    halves = _each(lambda at: half(look(np.arange(at, min(at + FEW, count)))), range(0, count, FEW))
    thumbnails = np.concatenate([np.zeros((0, HASHED, HASHED), dtype=np.uint8), *halves])
    found = likely(thumbnails, look, candidates(thumbnails, fresh))
    found = found.take(np.lexsort((found.second, found.first)))
    loaded = lru_cache(maxsize=128)(load)

    def near(part: Candidates) -> NDArray[np.bool_]:
        ends = zip(part.first.tolist(), part.second.tolist(), strict=True)
        return likeness([(loaded(first), loaded(second)) for first, second in ends], part.window) >= SAME

    same: list[tuple[int, int]] = []
    groups = _Groups(count)
    for at in range(0, len(found.first), TURN):
        turn = found.take(slice(at, at + TURN))
        pairs = zip(turn.first.tolist(), turn.second.tolist(), strict=True)
        turn = turn.take(np.array([not groups.crowded(first, second) for first, second in pairs]))
        parts = [turn.take(slice(start, start + FEW)) for start in range(0, len(turn.first), FEW)]
        distinct = np.concatenate([np.zeros(0, dtype=bool), *_each(near, parts)])
        for first, second in zip(turn.first[distinct].tolist(), turn.second[distinct].tolist(), strict=True):
            same.append((min(first, second), max(first, second)))
            groups.join(first, second)
    return np.unique(np.array(same, dtype=np.int64).reshape(-1, 2), axis=0)


class _Groups:
    """Which of N images are linked so far, and how many each group has (union-find)."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))
        self._size = [1] * count

    def crowded(self, one: int, other: int) -> bool:
        """Whether both are in one group, and that is a crowd."""
        root = self._root(one)
        return self._size[root] > CROWD and root == self._root(other)

    def join(self, one: int, other: int) -> None:
        """Make one group of two."""
        low, high = sorted((self._root(one), self._root(other)))
        if low != high:
            self._above[high] = low
            self._size[low] += self._size[high]

    def _root(self, one: int) -> int:
        while self._above[one] != one:
            self._above[one] = one = self._above[self._above[one]]
        return one


def candidates(thumbnails: NDArray[np.uint8], fresh: NDArray[np.bool_]) -> Candidates:
    """Pairs whose hashes nearly agree, at least one of the two fresh; each pair once, in its best window."""
    usable = np.flatnonzero(_tells(thumbnails))
    views, young = _views(thumbnails[usable]), fresh[usable]
    everyone, new, old = np.arange(len(usable)), np.flatnonzero(young), np.flatnonzero(~young)
    rng = np.random.default_rng(0)
    samples = [rng.choice(KEY_POOL, KEY_BITS, replace=False) for _ in range(TABLES)]

    def best_of(bits: Ints) -> Pairs:
        # The new ones ask all, and the known ones ask the new.
        found = _close(views, new, everyone, bits), _close(views, old, new, bits)
        return _once([part for parts in found for part in parts], len(usable))

    best = _each(best_of, samples)
    first, second, window, distance = _once(best, len(usable))
    order = np.lexsort((distance, first))
    place = np.arange(len(order)) - np.searchsorted(first[order], first[order])
    kept = np.sort(order[place < BUCKET])
    return Candidates(usable[first[kept]], usable[second[kept]], WINDOWS[window[kept]])


def _tells(thumbnails: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether there is enough in a thumbnail to know it by, (N,)."""

    def of_chunk(start: int) -> NDArray[np.bool_]:
        pixels = thumbnails[start : start + FEW].reshape(-1, HASHED**2).astype(np.float32)
        away = np.abs(pixels - np.median(pixels, axis=1, keepdims=True)) >= BLANK
        distinct: NDArray[np.bool_] = (pixels.std(axis=1) >= BLANK) & (away.mean(axis=1) >= SPREAD)
        return distinct

    return np.concatenate([np.zeros(0, dtype=bool), *_each(of_chunk, range(0, len(thumbnails), FEW))])


def _each(work: Callable[[Any], R], items: Iterable[Any]) -> list[R]:
    """Do the work on all cores: NumPy lets other threads run meanwhile. The order is that of the items."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, items))


def _views(thumbnails: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Hashes of N images in all windows, (N, W); the first is that of the whole."""
    windows = tuple((top, bottom, left, right) for top, bottom, left, right in WINDOWS.tolist())
    starts = range(0, len(thumbnails), FEW)
    found = _each(lambda start: hashes(thumbnails[start : start + FEW], windows), starts)
    return np.concatenate([np.zeros((0, len(WINDOWS)), dtype=np.uint64), *found])


def _close(views: NDArray[np.uint64], asking: Ints, asked: Ints, bits: Ints) -> list[Pairs]:
    """First, second, window and distance of the pairs of images that share a key and whose hashes are close.

    A window of an image of `asking` is compared with the whole of the images of `asked` that have the same `bits`.
    """
    if not len(asking) or not len(asked):
        return []
    keys = _keys(_octets(views[asked, 0]), bits)
    # Another order in each table, so that a crowd meets other members of itself.
    shuffled = np.random.default_rng(bits).permutation(len(asked))
    by_key = shuffled[np.argsort(keys[shuffled], kind="stable")]
    order, keys = asked[by_key], keys[by_key]
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
        distance = np.bitwise_count(seen[view] ^ views[second, 0]).astype(np.int64)
        near = (distance <= FAR) & (first != second)
        parts.append((first[near], second[near], view[near] % len(WINDOWS), distance[near]))
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


def _once(parts: list[Pairs], count: int) -> Pairs:
    """Each pair of `count` images once, whichever is first, at its smallest distance."""
    if not parts:
        nothing = np.zeros(0, dtype=np.int64)
        return nothing, nothing, nothing, nothing
    first, second, window, distance = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    pair = np.minimum(first, second) * count + np.maximum(first, second)
    order = np.lexsort((window, first, distance, pair))
    kept = order[np.concatenate([[True], pair[order][1:] != pair[order][:-1]])] if len(order) else order
    return first[kept], second[kept], window[kept], distance[kept]


def likely(thumbnails: NDArray[np.uint8], look: Look, found: Candidates) -> Candidates:
    """Keep the candidates that pass the SIEVES, each with the window that fits best."""

    def passed(start: int) -> Candidates:
        left = found.take(slice(start, start + LOT))
        for side, blur, steps, least in SIEVES:
            ends = (thumbnails[end] if side == HASHED else look(end) for end in (left.first, left.second))
            first, second = (blurred(pictures.astype(np.float32), blur) for pictures in ends)
            windows = climb(first, second, left.window, steps)
            agree = correlation(slopes(view_of(first, windows)), slopes(second)) >= least
            left = left._replace(window=windows).take(agree)
        return left

    parts = [found.take(slice(0, 0)), *_each(passed, range(0, len(found.first), LOT))]
    return Candidates(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
