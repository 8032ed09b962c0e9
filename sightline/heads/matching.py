"""Average precision of boxes, as COCO has it (Lin et al. 2014), to its last digit.

Answers are matched with the truth once. The precision of any choice of the images, each as often as is wanted, then
costs a cumulated sum: what a bootstrap over images needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sightline.heads.decisions import cut
from sightline.heads.targets import CLASS, CROWD, KIND, OBJECT, WIDTH
from sightline.images.boxes import Floats, areas, paired_iou

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Bits = NDArray[np.bool_]

SCORE = KIND
"""Column of an answer's score, where a true box has its kind."""
OVERLAPS = np.linspace(0.5, 0.95, 10)
"""Intersection over union from which on an answer is right: a precision for each."""
FIFTY = OVERLAPS[:1]
"""The first alone."""
RECALLS = np.linspace(0, 1, 101)
"""Where the curve of precision is read."""
SIZES = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
"""Name → areas in pixels of the boxes that are counted."""
MOST = 100
"""Answers for an image and class that are looked at, the best first."""
ANSWERS, AT_ONCE = 2**14, 2**21
"""That are laid on boxes at a time, and that are counted at a time, once for each choice of images."""


class Matched(NamedTuple):
    """Answers of one class and size, the surest first, over all images."""

    scores: Floats
    images: NDArray[np.int64]
    """(D,) which image each is of."""
    right: Bits
    """(10, D) whether it found an object, at each overlap."""
    ignored: Bits
    """(10, D) whether it does not count: it found what need not be found, or is of another size."""
    objects: NDArray[np.int64]
    """(N,) of this class and size in each image."""


@dataclass(frozen=True)
class Precision:
    """Average precisions; not a number where there is no object."""

    each: Floats
    """(10, classes) at each overlap."""

    @property
    def mean(self) -> float:
        """The mAP 50:95, over overlaps and the classes that have objects; 0 where none has."""
        return float(means(self.each[None])[0])

    @property
    def mean50(self) -> float:
        """The mAP 50."""
        return float(means(self.each[:1])[0])

    @property
    def by_class(self) -> Floats:
        """(classes,) 50:95."""
        found: Floats = self.each.mean(axis=0)
        return found


def match(
    answers: Sequence[Floats],
    truth: Sequence[Floats],
    classes: int,
    size: str = "all",
    overlaps: Floats = OVERLAPS,
    scales: Sequence[float] | None = None,
) -> list[Matched]:
    """What became of the answers, class by class.

    For each image `answers` (D, 6) of edges, class and score, `truth` (G, 6) of edges, class and kind; rows of negative
    classes are none. A crowd is found by any part of it, and as often as is wanted. `scales`: how many times larger
    than told the boxes of each image are, where their sizes count.
    """
    factors = np.ones(len(truth)) if scales is None else np.asarray(scales)
    mine, theirs = _rows(answers), _rows(truth)
    return [_of_class(mine.of(number), theirs.of(number), SIZES[size], overlaps, factors) for number in range(classes)]


class _Rows(NamedTuple):
    """Boxes of all images in one table."""

    boxes: Floats
    """(K, 6)."""
    images: NDArray[np.int64]
    """(K,) which image each is of, ascending."""

    def of(self, number: int) -> _Rows:
        """Those of a class."""
        return self.take(self.boxes[:, CLASS] == number)

    def take(self, rows: NDArray[Any]) -> _Rows:
        """Some of them."""
        return _Rows(self.boxes[rows], self.images[rows])


def _rows(each: Sequence[Floats]) -> _Rows:
    boxes = np.concatenate([np.zeros((0, WIDTH)), *each])
    return _Rows(boxes, np.repeat(np.arange(len(each)), [len(one) for one in each]))


def _of_class(mine: _Rows, theirs: _Rows, size: tuple[float, float], overlaps: Floats, scales: Floats) -> Matched:
    mine = mine.take(np.lexsort((-mine.boxes[:, SCORE], mine.images)))
    mine = mine.take(_places(mine.images) < MOST)
    extent = areas(theirs.boxes[:, :CLASS]) * scales[theirs.images] ** 2
    free = (theirs.boxes[:, KIND] != OBJECT) | (extent < size[0]) | (extent > size[1])
    right, ignored = _match(mine, theirs, free, overlaps)
    own = areas(mine.boxes[:, :CLASS]) * scales[mine.images] ** 2
    ignored |= ~right & ((own < size[0]) | (own > size[1]))
    scores = mine.boxes[:, SCORE]
    order = np.argsort(-scores, kind="stable")
    return Matched(
        scores=scores[order],
        images=mine.images[order],
        right=(right & ~ignored)[:, order],
        ignored=ignored[:, order],
        objects=np.bincount(theirs.images[~free], minlength=len(scales)),
    )


def _places(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each of these ascending numbers how many equal ones stand before it."""
    found: NDArray[np.int64] = np.arange(len(numbers)) - np.searchsorted(numbers, numbers)
    return found


def _match(mine: _Rows, theirs: _Rows, free: Bits, overlaps: Floats) -> tuple[Bits, Bits]:
    """(10, D) whether each answer found a box, and whether that was one that need not be found.

    In the order of their scores each takes the box that it overlaps most of those that are left; one that need not be
    found only where there is no other. The surest answers of all images take theirs at once, then the next ones.
    """
    crowd = theirs.boxes[:, KIND] == CROWD
    least = np.minimum(overlaps, 1 - 1e-10)
    answer, box, overlap = _near(mine, theirs, crowd, float(least.min()))
    # What an answer likes best comes first; of equal ones the last, as theirs.
    order = np.lexsort((-box, -overlap, free[box], answer))
    answer, box, overlap = answer[order], box[order], overlap[order]
    who = np.unique(answer)
    turns = _places(mine.images[who])[np.searchsorted(who, answer)]
    right = np.zeros((len(overlaps), len(mine.boxes)), dtype=bool)
    ignored, taken = right.copy(), np.zeros((len(overlaps), len(theirs.boxes)), dtype=bool)
    for turn in range(int(turns.max(initial=-1)) + 1):
        pairs = np.flatnonzero(turns == turn)
        first = np.flatnonzero(_places(answer[pairs]) == 0)
        is_open = (overlap[pairs] >= least[:, None]) & ~taken[:, box[pairs]]
        best = np.minimum.reduceat(np.where(is_open, np.arange(len(pairs)), len(pairs)), first, axis=1)
        level, which = np.nonzero(best < len(pairs))
        chosen, by = box[pairs][best[level, which]], answer[pairs][first][which]
        taken[level, chosen] = ~crowd[chosen]
        right[level, by], ignored[level, by] = True, free[chosen]
    return right, ignored


def _near(mine: _Rows, theirs: _Rows, crowd: Bits, least: float) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Answer, box and overlap of each pair in one image that overlaps so much."""
    found = []
    for begin in range(0, max(1, len(mine.boxes)), ANSWERS):
        part = mine.images[begin : begin + ANSWERS]
        low, high = (np.searchsorted(theirs.images, part, side=side) for side in ("left", "right"))
        answer = np.repeat(np.arange(len(part)), high - low)
        box = low[answer] + _places(answer)
        answer += begin
        overlap = paired_iou(mine.boxes[answer, :CLASS], theirs.boxes[box, :CLASS], crowd[box])
        kept = overlap >= least
        found.append((answer[kept], box[kept], overlap[kept]))
    answers, boxes, overlaps = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return answers, boxes, overlaps


def precision(matched: Sequence[Matched], weights: NDArray[np.integer[Any]] | None = None) -> Precision:
    """Average precisions, each image counted once, or as often as `weights` (N,) says."""
    often = np.ones(len(matched[0].objects), dtype=np.int64) if weights is None else weights
    return Precision(precisions(matched, often[None])[0])


def precisions(matched: Sequence[Matched], weights: NDArray[np.integer[Any]]) -> Floats:
    """The same (K, 10, classes) for each row of `weights` (K, N)."""
    return np.stack([_precisions(one, weights) for one in matched], axis=-1)


def means(each: Floats) -> Floats:
    """The mean (K,) of each (K, …), over what is a number; 0 where nothing is."""
    flat = each.reshape(len(each), -1)
    known = np.isfinite(flat)
    found: Floats = np.where(known, flat, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return found


def resampled(groups: NDArray[Any], draws: int) -> NDArray[np.int64]:
    """How often each image (draws, N) is in a bootstrap over its groups (N,) (Efron 1979), from a fixed seed."""
    _, place = np.unique(groups, return_inverse=True)
    rng, count = np.random.default_rng(0), int(place.max()) + 1
    return np.stack([np.bincount(rng.integers(count, size=count), minlength=count)[place] for _ in range(draws)])


def curve(one: Matched) -> list[float]:
    """The best precision at each of RECALLS or above, at the first overlap; empty where there is no object."""
    if not one.objects.sum():
        return []
    ((best, steps),) = _curves(one._replace(right=one.right[:1]), np.ones((1, len(one.objects)), dtype=np.int64))
    read: Floats = np.repeat(best[0], steps[0])
    values: list[float] = np.pad(read, (0, len(RECALLS) - len(read))).round(4).tolist()
    return values


def _precisions(one: Matched, weights: NDArray[np.integer[Any]]) -> Floats:
    found = np.empty((len(weights), len(one.right)))
    rows = max(1, AT_ONCE // max(1, len(one.scores)))
    for begin in range(0, len(weights), rows):
        part = weights[begin : begin + rows]
        for level, (best, steps) in enumerate(_curves(one, part)):
            found[begin : begin + rows, level] = (best * steps).sum(axis=1) / len(RECALLS)
    found[weights @ one.objects == 0] = np.nan
    return found


def _curves(one: Matched, weights: NDArray[np.integer[Any]]) -> Iterator[tuple[Floats, NDArray[np.int64]]]:
    """For each overlap the best precision (K, R) at each right answer or a later one, and how many RECALLS it serves.

    Precision rises at right answers alone, so that nothing else is looked at but how many wrong ones come before.
    """
    objects = np.maximum(weights @ one.objects, 1)[:, None]
    often = weights.astype(np.int32)[:, one.images]
    for right, ignored in zip(one.right, one.ignored, strict=False):
        places, wrong = np.flatnonzero(right), np.flatnonzero(~right & ~ignored)
        found = often[:, places].cumsum(axis=1)
        before = np.pad(often[:, wrong].cumsum(axis=1), ((0, 0), (1, 0)))[:, np.searchsorted(wrong, places)]
        best = found / (found + before + np.spacing(1))
        best = np.maximum.accumulate(best[:, ::-1], axis=1)[:, ::-1]
        served = np.searchsorted(RECALLS, found / objects, side="right")
        yield best, np.diff(served, axis=1, prepend=0)


def thresholds(matched: Sequence[Matched], wanted_precision: float | None = None) -> tuple[float, ...]:
    """For each class the score from which on answers make the best F1 at an overlap of 0.5.

    With a wanted precision the lowest from which on they have that. Half of the way to the next lower answer, so that
    rounding decides nothing; 1 where nothing is found, or no score has the precision.
    """
    return tuple(_threshold(one, wanted_precision) for one in matched)


def _threshold(one: Matched, wanted_precision: float | None) -> float:
    counted = ~one.ignored[0]
    scores, right = one.scores[counted], one.right[0][counted]
    if not right.any():
        return 1.0
    return cut(scores, right, int(one.objects.sum()), wanted_precision, 1.0)
