"""Average precision of boxes, as COCO has it (Lin et al. 2014), to its last digit.

Answers are matched with the truth once. The precision of any choice of the images, each as often as is wanted, then
costs a cumulated sum: what a bootstrap over images needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sightline.heads.targets import CLASS, CROWD, KIND, OBJECT
from sightline.images.boxes import Floats, areas, iou

if TYPE_CHECKING:
    from collections.abc import Sequence

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
        return _mean(self.each)

    @property
    def mean50(self) -> float:
        """The mAP 50."""
        return _mean(self.each[0])

    @property
    def by_class(self) -> Floats:
        """(classes,) 50:95."""
        means: Floats = self.each.mean(axis=0)
        return means


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else 0.0


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
    factors = [1.0] * len(truth) if scales is None else scales
    return [_of_class(number, answers, truth, SIZES[size], overlaps, factors) for number in range(classes)]


def _of_class(
    number: int,
    answers: Sequence[Floats],
    truth: Sequence[Floats],
    size: tuple[float, float],
    overlaps: Floats,
    scales: Sequence[float],
) -> Matched:
    found = []
    objects = np.zeros(len(truth), dtype=np.int64)
    for image, (given, true, scale) in enumerate(zip(answers, truth, scales, strict=True)):
        mine, theirs = given[given[:, CLASS] == number], true[true[:, CLASS] == number]
        mine = mine[np.argsort(-mine[:, SCORE], kind="stable")][:MOST].astype(np.float64)
        theirs = theirs.astype(np.float64)
        extent = areas(theirs[:, :CLASS]) * scale**2
        free = (theirs[:, KIND] != OBJECT) | (extent < size[0]) | (extent > size[1])
        objects[image] = int((~free).sum())
        if len(mine):
            own = areas(mine[:, :CLASS]) * scale**2
            right, ignored = _match(mine, theirs, free, overlaps)
            ignored |= ~right & ~ignored & ((own < size[0]) | (own > size[1]))
            found.append((mine[:, SCORE], np.full(len(mine), image), right & ~ignored, ignored))
    if not found:
        none = np.zeros((len(overlaps), 0), dtype=bool)
        return Matched(np.zeros(0), np.zeros(0, dtype=np.int64), none, none, objects)
    scores, images, right, ignored = (np.concatenate(part, axis=-1) for part in zip(*found, strict=True))
    order = np.argsort(-scores, kind="stable")
    return Matched(scores[order], images[order], right[:, order], ignored[:, order], objects)


def _match(answers: Floats, truth: Floats, free: Bits, overlaps: Floats) -> tuple[Bits, Bits]:
    """(10, D) whether each answer found a box, and whether that was one that need not be found.

    In the order of their scores each takes the box that it overlaps most of those that are left; one that need not be
    found only where there is no other.
    """
    order = np.argsort(free, kind="stable")
    truth, free = truth[order], free[order]
    crowd = truth[:, KIND] == CROWD
    overlap = iou(answers[:, :CLASS], truth[:, :CLASS], crowd)
    right = np.zeros((len(overlaps), len(answers)), dtype=bool)
    ignored = right.copy()
    for level, least in enumerate(overlaps):
        taken = np.zeros(len(truth), dtype=bool)
        for row in range(len(answers)):
            open_to = (overlap[row] >= min(least, 1 - 1e-10)) & (~taken | crowd)
            for kind in (~free, free):
                places = np.flatnonzero(open_to & kind)
                if len(places):
                    # Of equal ones the last, as theirs.
                    best = places[len(places) - 1 - int(np.argmax(overlap[row, places][::-1]))]
                    taken[best] = True
                    right[level, row], ignored[level, row] = True, bool(free[best])
                    break
    return right, ignored


def precision(matched: Sequence[Matched], weights: NDArray[np.integer[Any]] | None = None) -> Precision:
    """Average precisions, each image counted once, or as often as `weights` (N,) says."""
    return Precision(np.stack([_precision(one, weights) for one in matched], axis=1))


def curve(one: Matched) -> list[float]:
    """The best precision at each of RECALLS or above, at the first overlap; empty where there is no object."""
    objects = int(one.objects.sum())
    return [] if objects == 0 else _at_recalls(one.right[:1], one.ignored[:1], objects, None)[0].round(4).tolist()


def _precision(one: Matched, weights: NDArray[np.integer[Any]] | None) -> Floats:
    objects = one.objects.sum() if weights is None else int((one.objects * weights).sum())
    if objects == 0:
        return np.full(len(one.right), np.nan)
    often = None if weights is None else weights[one.images].astype(np.float64)
    means: Floats = _at_recalls(one.right, one.ignored, objects, often).mean(axis=1)
    return means


def _at_recalls(right: Bits, ignored: Bits, objects: int, often: Floats | None) -> Floats:
    """Precision (overlaps, 101) where each answer (D,) counts as `often`."""
    counted = np.ones(right.shape[1]) if often is None else often
    found = np.cumsum(right * counted, axis=1)
    wrong = np.cumsum((~right & ~ignored) * counted, axis=1)
    with np.errstate(invalid="ignore"):
        curves = np.nan_to_num(found / (found + wrong + np.spacing(1)))
    # The best precision that is left at this recall or a higher one.
    curves = np.maximum.accumulate(curves[:, ::-1], axis=1)[:, ::-1]
    read = np.zeros((len(right), len(RECALLS)))
    for level, (curve, recall) in enumerate(zip(curves, found / objects, strict=True)):
        places = np.searchsorted(recall, RECALLS, side="left")
        read[level] = np.append(curve, 0.0)[places]
    return read


def thresholds(matched: Sequence[Matched]) -> tuple[float, ...]:
    """For each class the score from which on answers make the best F1 at an overlap of 0.5.

    Half of the way to the next lower answer, so that rounding decides nothing; 1 where nothing is found.
    """
    return tuple(_threshold(one) for one in matched)


def _threshold(one: Matched) -> float:
    counted = ~one.ignored[0]
    scores, right = one.scores[counted], one.right[0][counted]
    if not right.any():
        return 1.0
    f1 = 2 * np.cumsum(right) / (np.arange(1, len(right) + 1) + one.objects.sum())
    # Answers of one score come in together.
    f1[:-1][scores[1:] == scores[:-1]] = 0.0
    best = int(np.argmax(f1))
    below = scores[best + 1] if best + 1 < len(scores) else 0.0
    return float((scores[best] + below) / 2)
