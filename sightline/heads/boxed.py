"""What becomes of a detector's answers: which boxes are shown, how sure that is, and how right they are.

Answers (N, 100, 6) hold edges in pixels of the square, class and score; truth (N, M, 6) is as in `targets`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.heads import decisions
from sightline.heads.decisions import Operating
from sightline.heads.matching import FIFTY, OVERLAPS, SCORE, Matched, match
from sightline.heads.targets import CLASS, KIND, NOTHING, OBJECT
from sightline.images.boxes import iou

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sightline.heads.answer import Fitted
    from sightline.heads.protocol import Floats

OVERLAP, MOST = 0.6, 100
"""Of two boxes of a class that overlap more the better stays; boxes that are left of an image, at most."""
LEAST = 1e-6
"""Of a score, whose logarithm is taken."""
MISSED = 0.02
"""Probability that an object was answered with which no box shows: what the network lets pass."""
LIKELY = 0.5
"""Boxes of this probability and more are a claim."""
SAME = 0.9
"""Overlap from which on two boxes are one."""


@dataclass(frozen=True, kw_only=True)
class Boxed:
    """What turns answers into boxes that are shown, as the calibration images had it."""

    shifts: tuple[float, ...]
    """Subtracted from the logits of the scores of each class before the temperature divides them."""
    thresholds: tuple[float, ...]
    """A box is in the answer from this probability on, for each class."""
    images: int
    """Calibration images behind all of this."""
    operating: Operating | None = None
    """None where the thresholds are those of the highest F1."""

    @classmethod
    def read(cls, fitted: Fitted) -> Boxed:
        """What a card holds; raises ValueError, TypeError or KeyError where that is not of its classes."""
        values = fitted.decoding or {}
        numbers = {name: tuple(values[name]) for name in ("shifts", "thresholds")}
        if any(len(one) != len(fitted.classes) or not np.isfinite(one).all() for one in numbers.values()):
            raise ValueError(f"decoding has no shift and threshold for each of the {len(fitted.classes)} classes")
        return cls(**{**values, **numbers, "operating": Operating.read(values, len(fitted.classes))})


def odds(scores: Floats) -> NDArray[np.float64]:
    """The logits of scores."""
    bounded = np.clip(scores.astype(np.float64), LEAST, 1 - LEAST)
    found: NDArray[np.float64] = np.log(bounded) - np.log1p(-bounded)
    return found


def calibrated(answers: Floats, temperature: float, shifts: Sequence[float]) -> NDArray[np.float64]:
    """The answers (N, 100, 6) with scores that say how likely each box is right; those of no box stay 0."""
    found = answers.astype(np.float64)
    there = found[..., CLASS] >= 0
    # One more for the class -1, which is none.
    shift = np.array([*shifts, 0.0])[found[..., CLASS].astype(np.int64)]
    scores = decisions.sigmoid((odds(found[..., SCORE]) - shift) / temperature)
    found[..., SCORE] = np.where(there, scores, 0.0)
    return found


def answered(probabilities: Floats, fitted: Fitted) -> NDArray[np.bool_]:
    """(…, 100) which boxes reach the threshold of their class."""
    # One more for the class -1, which is none.
    limits = np.array([*Boxed.read(fitted).thresholds, np.inf])
    numbers = probabilities[..., CLASS].astype(np.int64)
    shown: NDArray[np.bool_] = probabilities[..., SCORE] >= limits[numbers]
    return shown


def sureness(probabilities: Floats, shown: NDArray[np.bool_]) -> NDArray[np.float64]:
    """How sure the least sure decision of each image (N,) is, to show a box or not to."""
    there = probabilities[..., CLASS] >= 0
    each = np.where(shown, probabilities[..., SCORE], 1 - probabilities[..., SCORE])
    least: NDArray[np.float64] = np.where(there, each, 1.0).min(axis=1, initial=1.0)
    return least


def f1(answers: Floats, truth: NDArray[Any]) -> NDArray[np.float64]:
    """(N,) F1 of the boxes of each image at an overlap of 0.5; 1 where none is there and none is answered."""
    _, right, images = outcomes(matched(answers, truth, FIFTY))
    both = np.bincount(images[right], minlength=len(truth))
    total = np.bincount(images, minlength=len(truth)) + objects(truth)
    found: NDArray[np.float64] = np.where(total > 0, 2 * both / np.maximum(total, 1), 1.0)
    return found


def outcomes(found: Sequence[Matched]) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64]]:
    """Score, whether it is right at the first overlap, and image (D,) of each box that counts, class by class."""
    counted = [~one.ignored[0] for one in found]
    return (
        np.concatenate([one.scores[kept] for one, kept in zip(found, counted, strict=True)]),
        np.concatenate([one.right[0][kept] for one, kept in zip(found, counted, strict=True)]),
        np.concatenate([one.images[kept] for one, kept in zip(found, counted, strict=True)]),
    )


def matched(answers: Floats, truth: NDArray[Any], overlaps: NDArray[np.float64] = OVERLAPS) -> list[Matched]:
    """What became of the answers, class by class."""
    numbers = [int(rows[..., CLASS].max(initial=0)) for rows in (answers, truth)]
    return match(list(answers), list(truth), max(numbers) + 1, overlaps=overlaps)


def log_losses(probabilities: Floats, truth: NDArray[Any]) -> NDArray[np.float64]:
    """-ln p of each box, of its being wrong where it is, and of each missed object, as a share of the objects (N,)."""
    scores, right, images = outcomes(matched(probabilities, truth, FIFTY))
    costs = -np.log(np.clip(np.where(right, scores, 1 - scores), LEAST, 1.0))
    there = objects(truth)
    missed = there - np.bincount(images[right], minlength=len(truth))
    total = np.bincount(images, weights=costs, minlength=len(truth)) - np.log(MISSED) * missed
    losses: NDArray[np.float64] = total / max(1.0, float(there.mean()))
    return losses


def apart(rows: Floats, others: Floats) -> float:
    """By how much the boxes of one image (100, 6) differ: each beside the one of its class that it overlaps most."""
    mine, theirs = rows[rows[:, CLASS] >= 0], others[others[:, CLASS] >= 0]
    if not len(mine) or not len(theirs):
        return float(max(mine[:, SCORE].max(initial=0.0), theirs[:, SCORE].max(initial=0.0)))
    overlap = iou(mine[:, :CLASS].astype(np.float64), theirs[:, :CLASS].astype(np.float64))
    overlap *= mine[:, None, CLASS] == theirs[None, :, CLASS]
    found = 0.0
    for this, other, shared in ((mine, theirs, overlap), (theirs, mine, overlap.T)):
        beside = other[shared.argmax(axis=1)]
        same = shared.max(axis=1) >= SAME
        edges = np.abs(this[:, :CLASS] - beside[:, :CLASS]).max(axis=1) / max(1.0, float(np.abs(other).max()))
        differ = np.maximum(np.abs(this[:, SCORE] - beside[:, SCORE]), edges)
        # What is no number stays none.
        found = float(np.maximum(found, np.where(same, differ, this[:, SCORE] - MISSED).max()))
    return found


def kept(answers: Floats, shown: NDArray[np.bool_]) -> Floats:
    """The answers (N, 100, 6) with no box where none is `shown`."""
    found = answers.copy()
    found[..., CLASS] = np.where(shown, found[..., CLASS], NOTHING)
    return found


def objects(truth: NDArray[Any]) -> NDArray[np.int64]:
    """(N,) objects of each image that count."""
    found: NDArray[np.int64] = ((truth[..., CLASS] >= 0) & (truth[..., KIND] == OBJECT)).sum(axis=1)
    return found
