"""Near duplicates: images that are copies of one another but for size, compression or a narrow crop.

Candidates come from hashing, never from comparing all with all. An image is hashed whole and in 16 windows, each within
2.5 % a side of any crop of up to 10 % a side; a pair is looked at when the whole of one and a window of the other agree
in all bits of one of 24 samples of their hashes (bit sampling: Indyk and Motwani 1998). What passes a check on
thumbnails is decoded, its crop is fitted (Lucas and Kanade 1981), and the pixels decide: the slopes of the two pictures
must correlate. Slopes, not grey levels: two handwritten ones are as alike in grey as two copies of one of them.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sightline.data.statistics import SIDE, cosines, interpolate, pack, shrink, signs, whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from PIL import Image

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

SAME = 0.95
"""Least correlation of the slopes of two near duplicates."""
DETAIL = 24
"""Height and width at which decoded pixels are compared, pixels; smaller images at their own."""
EDGES = (0.025, 0.075)
"""Where a window begins, and how far before the end it ends, shares of the side."""
WINDOWS = np.array([(0, 1, 0, 1), *((t, 1 - b, le, 1 - r) for t, b, le, r in product(EDGES, repeat=4))], dtype=float)
"""Top, bottom, left and right of the whole and of every window."""
TABLES, KEY_BITS, KEY_POOL = 24, 20, 45
"""Samples of the hash, bits of each, and the lowest frequencies that they are drawn from (the more robust ones)."""
FAR = 12
"""Hashes that differ in more of their 63 bits are not looked at."""
LIKELY = 0.96
"""Least share of a smoothed thumbnail's slopes that the other thumbnail explains, shifted and scaled a little."""
BLANK = 3.0
"""Thumbnails that vary less than this (standard deviation, grey levels) look like all of their kind: left out."""
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
    same = [
        sorted((int(a), int(b)))
        for a, b, w in zip(found.first[order], found.second[order], found.window[order], strict=True)
        if likeness(loaded(int(a)), loaded(int(b)), WINDOWS[w]) >= SAME
    ]
    return np.unique(np.array(same, dtype=np.int64).reshape(-1, 2), axis=0)


def candidates(thumbnails: NDArray[np.uint8], fresh: NDArray[np.bool_]) -> Candidates:
    """Pairs whose hashes nearly agree, at least one of the two fresh; each pair once, in its best window."""
    usable = np.flatnonzero(thumbnails.std(axis=(1, 2)) >= BLANK)
    bases = np.stack([np.stack([cosines(*w[:2]), cosines(*w[2:])]) for w in WINDOWS])
    bits = signs(thumbnails[usable], whole())[:, 0]
    hashes, keys, young = pack(bits), _keys(bits), fresh[usable]
    tables = [_table(keys[:, number]) for number in range(TABLES)]
    new = np.flatnonzero(young)
    recent = tables if young.all() else [_table(keys[new, number]) for number in range(TABLES)]
    best: list[tuple[Ints, Ints, Ints, Ints]] = []
    for start in range(0, len(usable), CHUNK):
        members = np.arange(start, min(start + CHUNK, len(usable)))
        views = signs(thumbnails[usable[members]], bases).reshape(-1, bits.shape[1])
        owner, window = np.divmod(np.arange(len(views)), len(WINDOWS))
        for side, places, among in ((young[members], tables, np.arange(len(usable))), (~young[members], recent, new)):
            asked = np.flatnonzero(side[owner])
            if len(asked) and len(among):
                asking = _Asking(members[owner[asked]], window[asked], pack(views[asked]), _keys(views[asked]))
                best.append(_close(asking, places, among, hashes))
    first, second, window, _ = _once(best, len(usable))
    return Candidates(usable[first], usable[second], window)


class _Asking(NamedTuple):
    """Views (windows of images) that are looked up."""

    owner: Ints
    window: Ints
    hash: NDArray[np.uint64]
    keys: Ints


class _Table(NamedTuple):
    """Images by key: those of key k are order[starts[k] : starts[k + 1]]."""

    order: Ints
    starts: Ints


def _keys(bits: NDArray[np.bool_]) -> Ints:
    """Draw the samples of N hashes, as numbers (N, TABLES)."""
    rng = np.random.default_rng(0)
    weights = np.zeros((bits.shape[1], TABLES))
    for number in range(TABLES):
        weights[rng.choice(KEY_POOL, KEY_BITS, replace=False), number] = 2.0 ** np.arange(KEY_BITS)
    return (bits @ weights).astype(np.int64)


def _table(keys: Ints) -> _Table:
    counts = np.bincount(keys, minlength=2**KEY_BITS)
    return _Table(np.argsort(keys, kind="stable"), np.concatenate([[0], np.cumsum(counts, dtype=np.int32)]))


def _close(
    asking: _Asking, tables: list[_Table], among: Ints, hashes: NDArray[np.uint64]
) -> tuple[Ints, Ints, Ints, Ints]:
    """First, second, window and distance of the pairs that share a key and whose hashes are close."""
    parts = []
    for number, table in enumerate(tables):
        keys = asking.keys[:, number]
        counts = table.starts[keys + 1] - table.starts[keys]
        view = np.repeat(np.arange(len(keys)), counts)
        place = np.arange(len(view)) - np.repeat(np.cumsum(counts) - counts, counts) + table.starts[keys[view]]
        second = among[table.order[place]]
        distance = np.bitwise_count(asking.hash[view] ^ hashes[second]).astype(np.int64)
        near = (distance <= FAR) & (asking.owner[view] != second)
        parts.append((asking.owner[view[near]], second[near], asking.window[view[near]], distance[near]))
    return _once(parts, len(hashes))


def _once(parts: list[tuple[Ints, Ints, Ints, Ints]], count: int) -> tuple[Ints, Ints, Ints, Ints]:
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
    kept = []
    for start in range(0, len(found.first), CHUNK):
        part = slice(start, start + CHUNK)
        share = _explained(thumbnails[found.first[part]], thumbnails[found.second[part]], found.window[part])
        kept.append(np.flatnonzero(share >= LIKELY) + start)
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *kept])
    return Candidates(found.first[rows], found.second[rows], found.window[rows])


def _explained(first: NDArray[np.uint8], second: NDArray[np.uint8], windows: Ints) -> Floats:
    """Share of the slopes of `second` that the windows of `first` and their first derivatives explain, (M,)."""
    points = (np.arange(SIDE) + 0.5) / SIDE
    pixels = first.astype(np.float64)
    down, across = np.gradient(pixels, axis=(1, 2))
    rows = np.stack([interpolate(w[0], w[1], points, SIDE) for w in WINDOWS])[windows]
    columns = np.stack([interpolate(w[2], w[3], points, SIDE).T for w in WINDOWS])[windows]
    view, down, across = (rows @ image @ columns for image in (pixels, down, across))
    ramp = points[:, None]
    parts = (view, down * (1 - ramp), down * ramp, across * (1 - ramp.T), across * ramp.T)
    basis = np.stack([slopes(SMOOTH @ part @ SMOOTH.T) for part in parts], axis=2)
    target = slopes(SMOOTH @ second.astype(np.float64) @ SMOOTH.T)[:, :, None]
    gram = basis.transpose(0, 2, 1) @ basis
    # A little of the diagonal keeps it solvable where a picture varies in one direction only.
    gram += np.eye(5) * (1e-9 + 1e-6 * np.trace(gram, axis1=1, axis2=2)[:, None, None])
    side = basis.transpose(0, 2, 1) @ target
    explained = (side * np.linalg.solve(gram, side)).sum((1, 2))
    result: Floats = explained / np.maximum((target**2).sum((1, 2)), 1e-9)
    return result


def slopes(images: Floats) -> Floats:
    """Differences of neighbouring pixels, down and across, of images (…, H, W): (…, 2·(H-1)·(W-1))."""
    down, across = np.diff(images, axis=-2)[..., 1:], np.diff(images, axis=-1)[..., 1:, :]
    shape = images.shape[:-2]
    return np.concatenate([down.reshape(*shape, -1), across.reshape(*shape, -1)], axis=-1)


def likeness(first: Image.Image, second: Image.Image, window: Floats) -> float:
    """Correlation of the slopes of the grey images, the window of `first` fitted to `second` from `window` on."""
    side = min(DETAIL, *first.size, *second.size)
    target = np.asarray(shrink(second, side), dtype=np.float64)
    edges = _fit(np.asarray(shrink(first, side), dtype=np.float64), target, window)
    box = (edges[2] * first.width, edges[0] * first.height, edges[3] * first.width, edges[1] * first.height)
    view = np.asarray(shrink(first, side, box), dtype=np.float64)
    return correlation(slopes(view), slopes(target))


def correlation(first: Floats, second: Floats) -> float:
    """Pearson's correlation; 0 where one of the two does not vary."""
    first, second = first - first.mean(), second - second.mean()
    spread = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float(first @ second) / spread if spread else 0.0


def _fit(image: Floats, target: Floats, window: Floats) -> Floats:
    """Top, bottom, left and right of the window of `image` that is most like `target`, both of the same side."""
    side = len(image)
    points = (np.arange(side) + 0.5) / side
    down, across = np.gradient(image)
    edges = window.copy()
    for _ in range(8):
        top, bottom, left, right = edges
        rows, columns = interpolate(top, bottom, points, side), interpolate(left, right, points, side)
        view, slope, slant = (rows @ layer @ columns.T for layer in (image, down * side, across * side))
        ramp = points[:, None]
        parts = (slope * (1 - ramp), slope * ramp, slant * (1 - ramp.T), slant * ramp.T, view, np.ones_like(view))
        basis = np.stack([part.ravel() for part in parts], axis=1)
        gram = basis.T @ basis
        answer = np.linalg.solve(gram + np.eye(6) * (1e-9 + 1e-9 * np.trace(gram)), basis.T @ target.ravel())
        if answer[4] <= 0:
            break
        step = np.clip(answer[:4] / answer[4], -0.03, 0.03)
        edges = np.clip(edges + step, (0, 0.8, 0, 0.8), (0.2, 1, 0.2, 1))
        if np.abs(step).max() < 1e-3:  # noqa: PLR2004 — a fortieth of a pixel
            break
    return edges
