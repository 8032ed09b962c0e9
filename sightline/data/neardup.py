"""Near duplicates: images that are copies of one another but for size, compression or a narrow crop.

Candidates come from hashing, never from comparing all with all. An image is hashed whole and in 16 windows, one of them
within 3 % a side of any crop of up to 10 % a side; a pair is looked at when the whole of one and a window of the other
agree in all bits of one of 48 samples of their hashes (bit sampling: Indyk and Motwani 1998). What passes a check on
thumbnails is decoded, its crop is fitted (Lucas and Kanade 1981), and the pixels decide: the slopes of the two pictures
must correlate. Slopes, not grey levels: two handwritten ones are as alike in grey as two copies of one of them.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from sightline.data.statistics import SIDE, cosines, interpolate, pack, shrink, signs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray
    from PIL import Image

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]
    Pairs = tuple[Ints, Ints, Ints, Ints]

R = TypeVar("R")

SAME = 0.97
"""Least correlation of the slopes of two near duplicates."""
DETAIL = 24
"""Height and width at which decoded pixels are compared, pixels; smaller images at their own."""
FINE = 36
"""Height and width at which the window is fitted, pixels: finer than it is compared."""
STEPS = 6
"""Most steps of each fit."""
EDGES = (0.02, 0.08)
"""Where a window begins, and how far before the end it ends, shares of the side."""
WINDOWS = np.array([(0, 1, 0, 1), *((t, 1 - b, le, 1 - r) for t, b, le, r in product(EDGES, repeat=4))], dtype=float)
"""Top, bottom, left and right of the whole and of every window."""
TABLES, KEY_BITS, KEY_POOL = 48, 20, 45
"""Samples of the hash, bits of each, and the lowest frequencies that they are drawn from (the more robust ones)."""
FAR = 11
"""Hashes that differ in more of their 63 bits are not looked at."""
LIKELY = 0.96
"""Least share of a smoothed thumbnail's slopes that the other thumbnail explains, shifted and scaled a little."""
BLANK = 3.0
"""Thumbnails that vary less than this (standard deviation, grey levels) look like all of their kind: left out."""
BUCKET = 32
"""Of the images that share a key, so many are compared with each: thousands of frames of one scene are joined through
those few, in every table through others. Where fewer share a key, all are."""
CROWD = 64
"""Two images that are in one group of more than this already are not confirmed once more."""
SPREAD = 0.05
"""Least share of a thumbnail's pixels that differ from its median by BLANK: a spot on an even ground tells nothing."""
CHUNK = 2048
"""Images, or pairs, at a time: bounds the memory."""


_GRID = np.arange(SIDE)
_SMOOTH = np.exp(-((_GRID[:, None] - _GRID) ** 2) / (2 * 1.2**2))
SMOOTH = _SMOOTH / _SMOOTH.sum(1, keepdims=True)
"""A blur of 1.2 pixels: the thumbnail of a crop shows finer detail than a window of the whole one's."""


class Candidates(NamedTuple):
    """M pairs: image `second` may be the window `window` of image `first`."""

    first: Ints
    second: Ints
    window: Ints


def find(thumbnails: NDArray[np.uint8], fresh: NDArray[np.bool_], load: Callable[[int], Image.Image]) -> Ints:
    """Pairs (M, 2) of near duplicates among N images of which at least one is `fresh` (N,); the smaller index first.

    `thumbnails` (N, SIDE, SIDE) are those of `statistics`; `load` gives the grey image of an index, and is asked only
    for candidates. A pair is judged by its two images alone: images that come later change nothing about it.
    """
    found = likely(thumbnails, candidates(thumbnails, fresh))
    order = np.lexsort((found.second, found.first))
    loaded = lru_cache(maxsize=512)(load)
    same: list[tuple[int, int]] = []
    groups = _Groups(len(thumbnails))
    for a, b, w in zip(*(column[order].tolist() for column in found), strict=True):
        if not groups.crowded(a, b) and likeness(loaded(a), loaded(b), WINDOWS[w]) >= SAME:
            same.append((min(a, b), max(a, b)))
            groups.join(a, b)
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
    return Candidates(usable[first[kept]], usable[second[kept]], window[kept])


def _tells(thumbnails: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Whether there is enough in a thumbnail to know it by, (N,)."""
    pixels = thumbnails.reshape(len(thumbnails), -1).astype(np.float64)
    away = np.abs(pixels - np.median(pixels, axis=1, keepdims=True)) >= BLANK
    told: NDArray[np.bool_] = (pixels.std(axis=1) >= BLANK) & (away.mean(axis=1) >= SPREAD)
    return told


def _each(work: Callable[[Any], R], items: Iterable[Any]) -> list[R]:
    """Do the work on all cores: NumPy lets other threads run meanwhile. The order is that of the items."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(work, items))


def _views(thumbnails: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Hashes of N images in all windows, (N, W); the first is that of the whole."""
    bases = np.stack([np.stack([cosines(*w[:2]), cosines(*w[2:])]) for w in WINDOWS])
    hashes = [pack(signs(thumbnails[at : at + CHUNK], bases)) for at in range(0, len(thumbnails), CHUNK)]
    return np.concatenate([np.zeros(0, dtype=np.uint64), *hashes]).reshape(-1, len(WINDOWS))


def _close(views: NDArray[np.uint64], asking: Ints, asked: Ints, bits: Ints) -> list[Pairs]:
    """First, second, window and distance of the pairs of images that share a key and whose hashes are close.

    A window of an image of `asking` is compared with the whole of the images of `asked` that have the same `bits`.
    """
    if not len(asking) or not len(asked):
        return []
    keys = _keys(views[asked, 0], bits)
    # Another order in each table, so that a crowd meets other members of itself.
    shuffled = np.random.default_rng(bits).permutation(len(asked))
    order = asked[shuffled[np.argsort(keys[shuffled], kind="stable")]]
    # Images of key k are order[starts[k] : starts[k + 1]].
    starts = np.concatenate([[0], np.cumsum(np.bincount(keys, minlength=2**KEY_BITS))])
    parts = []
    for at in range(0, len(asking), CHUNK):
        members = asking[at : at + CHUNK]
        hashes = views[members].ravel()
        wanted = _keys(hashes, bits)
        counts = np.minimum(starts[wanted + 1] - starts[wanted], BUCKET)
        view = np.repeat(np.arange(len(hashes)), counts)
        place = np.arange(len(view)) - np.repeat(np.cumsum(counts) - counts - starts[wanted], counts)
        first, second = members[view // len(WINDOWS)], order[place]
        distance = np.bitwise_count(hashes[view] ^ views[second, 0]).astype(np.int64)
        near = (distance <= FAR) & (first != second)
        parts.append((first[near], second[near], view[near] % len(WINDOWS), distance[near]))
    return parts


def _keys(hashes: NDArray[np.uint64], bits: Ints) -> Ints:
    """Put the chosen bits of each hash together as a number."""
    keys = np.zeros(len(hashes), dtype=np.int64)
    for place, bit in enumerate(bits):
        keys |= ((hashes >> np.uint64(bit)) & np.uint64(1)).astype(np.int64) << place
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


def likely(thumbnails: NDArray[np.uint8], found: Candidates) -> Candidates:
    """Keep the candidates whose thumbnails agree, the window shifted and scaled by least squares (one linear step)."""

    def of_chunk(start: int) -> Ints:
        part = slice(start, start + CHUNK)
        share = _explained(thumbnails[found.first[part]], thumbnails[found.second[part]], found.window[part])
        return np.flatnonzero(share >= LIKELY) + start

    kept = _each(of_chunk, range(0, len(found.first), CHUNK))
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *kept])
    return Candidates(found.first[rows], found.second[rows], found.window[rows])


def _explained(first: NDArray[np.uint8], second: NDArray[np.uint8], windows: Ints) -> Floats:
    """Share of the slopes of `second` that the windows of `first` and their first derivatives explain, (M,)."""
    pixels = first.astype(np.float64)
    down, across = np.gradient(pixels, axis=(1, 2))
    left, right = _readers()
    rows, columns = left[windows], right[windows]
    # The window itself, and how it changes when its top, bottom, left or right edge moves.
    parts = ((pixels, 0, 0), (down, 1, 0), (down, 2, 0), (across, 0, 1), (across, 0, 2))
    basis = np.stack([slopes(rows[:, above] @ image @ columns[:, beside]) for image, above, beside in parts], axis=2)
    target = slopes(SMOOTH @ second.astype(np.float64) @ SMOOTH.T)[:, :, None]
    gram = basis.transpose(0, 2, 1) @ basis
    # A little of the diagonal keeps it solvable where a picture varies in one direction only.
    gram += np.eye(5) * (1e-9 + 1e-6 * np.trace(gram, axis1=1, axis2=2)[:, None, None])
    side = basis.transpose(0, 2, 1) @ target
    explained = (side * np.linalg.solve(gram, side)).sum((1, 2))
    result: Floats = explained / np.maximum((target**2).sum((1, 2)), 1e-9)
    return result


@cache
def _readers() -> tuple[Floats, Floats]:
    """Matrices that read a window of a thumbnail smoothly, from the left and from the right: (W, 3, SIDE, SIDE) each.

    The three: as it is, weighted by the distance from the far edge, and by that from the near one.
    """
    points = (np.arange(SIDE) + 0.5) / SIDE
    weights = np.stack([np.ones(SIDE), 1 - points, points])[:, :, None]
    down = np.stack([SMOOTH @ (weights * interpolate(w[0], w[1], points, SIDE)) for w in WINDOWS])
    across = np.stack([SMOOTH @ (weights * interpolate(w[2], w[3], points, SIDE)) for w in WINDOWS])
    return down, across.transpose(0, 1, 3, 2)


def slopes(images: Floats) -> Floats:
    """Differences of neighbouring pixels, down and across, of images (…, H, W): (…, 2·(H-1)·(W-1))."""
    down, across = np.diff(images, axis=-2)[..., 1:], np.diff(images, axis=-1)[..., 1:, :]
    shape = images.shape[:-2]
    return np.concatenate([down.reshape(*shape, -1), across.reshape(*shape, -1)], axis=-1)


def likeness(first: Image.Image, second: Image.Image, window: Floats) -> float:
    """Correlation of the slopes of the grey images, the window of `first` fitted to `second` from `window` on."""
    smallest = min(*first.size, *second.size)
    fine = min(FINE, smallest)
    edges = _fit(_pixels(first, fine), _pixels(second, fine), window)
    box = (edges[2] * first.width, edges[0] * first.height, edges[3] * first.width, edges[1] * first.height)
    side = min(DETAIL, smallest)
    return correlation(slopes(_pixels(first, side, box)), slopes(_pixels(second, side)))


def _pixels(grey: Image.Image, side: int, box: tuple[float, float, float, float] | None = None) -> Floats:
    return np.asarray(shrink(grey, side, box), dtype=np.float64)


def correlation(first: Floats, second: Floats) -> float:
    """Pearson's correlation; 0 where one of the two does not vary."""
    first, second = first - first.mean(), second - second.mean()
    spread = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float(first @ second) / spread if spread else 0.0


def _fit(image: Floats, target: Floats, window: Floats) -> Floats:
    """Top, bottom, left and right of the window of `image` that is most like `target`, both of the same side.

    First blurred, so that fine texture does not hold the window in a wrong place, then as it is.
    """
    blur = _blur(len(image))
    edges = _climb(blur @ image @ blur.T, blur @ target @ blur.T, window)
    return _climb(image, target, edges)


def _climb(image: Floats, target: Floats, edges: Floats) -> Floats:
    """Steps of least squares, each on the picture's slopes where the window lies by then."""
    side = len(image)
    points = (np.arange(side) + 0.5) / side
    far, near = 1 - points[:, None], points[:, None]
    down, across = np.gradient(image)
    for _ in range(STEPS):
        rows, columns = interpolate(edges[0], edges[1], points, side), interpolate(edges[2], edges[3], points, side).T
        view, slope, slant = rows @ image @ columns, rows @ (down * side) @ columns, rows @ (across * side) @ columns
        parts = (slope * far, slope * near, slant * far.T, slant * near.T, view, np.ones_like(view))
        basis = np.stack(parts).reshape(len(parts), -1)
        gram = basis @ basis.T
        answer = np.linalg.solve(gram + np.eye(6) * (1e-9 + 1e-9 * np.trace(gram)), basis @ target.ravel())
        if answer[4] <= 0:
            break
        step = np.clip(answer[:4] / answer[4], -0.03, 0.03)
        edges = np.clip(edges + step, (0, 0.8, 0, 0.8), (0.2, 1, 0.2, 1))
        if np.abs(step).max() < 1e-3:  # noqa: PLR2004 — a thirtieth of a pixel
            break
    return edges


@cache
def _blur(side: int) -> Floats:
    """A blur of 0.8 pixels as a matrix."""
    grid = np.arange(side)
    weights = np.exp(-((grid[:, None] - grid) ** 2) / (2 * 0.8**2))
    result: Floats = weights / weights.sum(1, keepdims=True)
    return result
