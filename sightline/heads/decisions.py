"""From logits to a set of labels: what the calibration images say of each class, and the figure of an image.

A shared temperature and a shift for each class make the sigmoids claim what they keep; a threshold for each class makes
the decisions; another one, for all classes, the sets that miss few of the labels.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.heads.temperature import COLDEST, HOTTEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Bits = NDArray[np.generic]

FEWEST = 8
"""Calibration images of a class, and without it, below which its threshold is that of all classes together."""
MISSED = 0.1
"""Share of an image's labels that the sets of likely ones shall miss at most, on average."""
NEVER = 2.0
"""A threshold that no probability reaches."""
SLACK = 1e-9


@dataclass(frozen=True, kw_only=True)
class Operating:
    """Where the thresholds were put for a precision that somebody wants."""

    wanted_precision: float
    best: tuple[float, ...]
    """Thresholds of the highest F1, at which networks are compared: the wanted precision is no merit of theirs."""

    @classmethod
    def read(cls, values: Mapping[str, Any], classes: int) -> Operating | None:
        """Of a card; raises ValueError where it has no number for each of the classes."""
        told = values.get("operating")
        if told is None:
            return None
        found = cls(wanted_precision=float(told["wanted_precision"]), best=tuple(told["best"]))
        if len(found.best) != classes or not np.isfinite(found.best).all():
            raise ValueError(f"decoding has no threshold of the highest F1 for each of the {classes} classes")
        return found


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """What turns calibrated logits (N, C) into labels."""

    shifts: tuple[float, ...]
    """Subtracted from the logits of each class before the temperature divides them."""
    thresholds: tuple[float, ...]
    """A class is in the answer from this probability on."""
    likely_from: float | None
    """A class may be there from this probability on; None where the calibration images are too few to say."""
    images: int
    """Calibration images behind all of this."""
    operating: Operating | None = None
    """None where the thresholds are those of the highest F1."""

    @classmethod
    def read(cls, values: Mapping[str, Any], classes: int) -> Decisions:
        """What a card holds; raises ValueError where that is not of so many classes."""
        tuples = {name: tuple(values[name]) for name in ("shifts", "thresholds")}
        found = cls(**{**values, **tuples, "operating": Operating.read(values, classes)})
        numbers = [*found.shifts, *found.thresholds, *([found.likely_from] if found.likely_from is not None else [])]
        if len(found.shifts) != classes or len(found.thresholds) != classes or not np.isfinite(numbers).all():
            raise ValueError(f"decoding has no number for each of the {classes} classes")
        return found


def untold(classes: int) -> Decisions:
    """Where there are no calibration images: the logits as they are, and one half."""
    return Decisions(shifts=(0.0,) * classes, thresholds=(0.5,) * classes, likely_from=None, images=0)


def fit(logits: Floats, labels: Bits, wanted_precision: float | None = None) -> tuple[float, Decisions]:
    """Temperature and decisions from the calibration images' logits and labels (N, C); N may be 0.

    The thresholds are those of the highest F1, or of the highest recall at the wanted precision.
    """
    if not len(logits):
        return 1.0, untold(logits.shape[1])
    temperature, shifts = calibrate(logits, labels)
    probabilities = sigmoid((logits.astype(np.float64) - shifts) / temperature)
    limits = best = tuple(thresholds(probabilities, labels).tolist())
    if wanted_precision is not None:
        limits = tuple(thresholds(probabilities, labels, wanted_precision).tolist())
    return temperature, Decisions(
        shifts=tuple(shifts.tolist()),
        thresholds=limits,
        likely_from=likely_from(probabilities, labels),
        images=len(logits),
        operating=None if wanted_precision is None else Operating(wanted_precision=wanted_precision, best=best),
    )


def as_values(found: Any) -> dict[str, Any]:
    """Decisions, of labels or of boxes, as plain values for a card."""
    return {name: value for name, value in asdict(found).items() if name != "operating" or value is not None}


def aimed(found: Mapping[str, Any]) -> str:
    """Behind a precision among figures: which one was wanted; nothing where none was."""
    wanted = found.get("wanted_precision")
    return "" if wanted is None else f" ({wanted:g} wanted of each class)"


def sigmoid(logits: Floats) -> NDArray[np.float64]:
    """1 / (1 + e^-z), without overflow."""
    return np.exp(-np.logaddexp(0.0, -logits.astype(np.float64)))


def calibrate(logits: Floats, labels: Bits) -> tuple[float, NDArray[np.float64]]:
    """One temperature and a shift (C,) for each class with the least log loss, as Platt (1999) scales.

    The targets stay away from 0 and 1 by one more image of either kind, as his do.
    """
    from scipy.optimize import minimize

    count, classes = logits.shape
    wide, there = logits.astype(np.float64), labels.astype(np.float64)
    seen = there.sum(axis=0)
    targets = np.where(there > 0, (seen + 1) / (seen + 2), 1 / (count - seen + 2))
    # In units in which the network's logits spread by about 1, so that one step suits slope and intercepts.
    scale = max(float(wide.std()), 1e-6)
    wide /= scale

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scores = values[0] * wide + values[1:]
        errors = sigmoid(scores) - targets
        value = np.logaddexp(0.0, scores) - targets * scores
        gradient = np.concatenate([[float((errors * wide).sum())], errors.sum(axis=0)])
        return float(value.sum()) / count, gradient / count

    bounds = [(scale / HOTTEST, scale / COLDEST), *[(-1e3, 1e3)] * classes]
    start = np.concatenate([[float(np.clip(scale, *bounds[0]))], np.zeros(classes)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    temperature = scale / float(found[0])
    return temperature, -found[1:] * temperature


def thresholds(probabilities: Floats, labels: Bits, wanted_precision: float | None = None) -> NDArray[np.float64]:
    """For each class (C,) the probability from which on answers have the highest F1 on these images.

    With a wanted precision the lowest from which on they have that; NEVER where none has it. A class of which too few
    images tell has the one that is best for all of them together.
    """
    there = labels.astype(bool)
    shared = _best(probabilities.ravel(), there.ravel(), wanted_precision)
    counts = there.sum(axis=0)
    told = (counts >= FEWEST) & (len(there) - counts >= FEWEST)
    own = [
        _best(probabilities[:, number], there[:, number], wanted_precision) if enough else shared
        for number, enough in enumerate(told.tolist())
    ]
    return np.array(own)


def _best(probabilities: Floats, there: NDArray[np.bool_], wanted_precision: float | None) -> float:
    if not there.any():
        return 0.5 if wanted_precision is None else NEVER
    order = np.argsort(-probabilities, kind="stable")
    return cut(probabilities[order], there[order], int(there.sum()), wanted_precision, NEVER)


def cut(scores: Floats, right: Bits, objects: int, wanted_precision: float | None, never: float) -> float:
    """From which score on answers have the highest F1, or the highest recall at the wanted precision.

    scores: (D,) the highest first, with D ≥ 1; right: (D,) whether each is right; objects: how many there are to find.
    Half of the way to the next lower answer, so that rounding decides nothing; `never` where no cut has the precision.
    """
    found, called = np.cumsum(right, dtype=np.int64), np.arange(1, len(scores) + 1)
    # Answers of one score come in together.
    whole = np.append(scores[1:] != scores[:-1], True)
    if wanted_precision is None:
        last = int(np.where(whole, 2 * found / (called + objects), -1.0).argmax())
    else:
        kept = np.flatnonzero(whole & (found + SLACK >= wanted_precision * called))
        if not len(kept):
            return never
        last = int(kept[-1])
    below = float(scores[last + 1]) if last + 1 < len(scores) else 0.0
    return (float(scores[last]) + below) / 2


def likely_from(probabilities: Floats, labels: Bits, missed: float = MISSED) -> float | None:
    """The highest threshold at which sets miss at most that share of an image's labels, on average over new images.

    Conformal risk control (Angelopoulos et al. 2024): one more image that misses everything is counted in. None where
    these are too few to show it.
    """
    there = labels.astype(bool)
    count = len(there)
    allowed = missed * (count + 1) - 1
    if allowed < 0:
        return None
    # Each label that is there is missed from just above its probability on, and costs its share of the image.
    rows, classes = np.nonzero(there)
    cost = 1 / there.sum(axis=1)[rows]
    values = probabilities[rows, classes]
    order = np.argsort(values, kind="stable")
    lost = np.cumsum(cost[order])
    beyond = np.flatnonzero(lost > allowed + SLACK)
    # At the threshold itself the label is still held.
    return float(values[order][beyond[0]]) if len(beyond) else 1.0


def chosen(probabilities: Floats, limits: Floats) -> NDArray[np.bool_]:
    """(N, C) which classes are in the answer."""
    found: NDArray[np.bool_] = probabilities >= limits
    return found


def f1(answered: NDArray[np.bool_], labels: Bits) -> NDArray[np.float64]:
    """(N,) F1 of each image's labels; 1 where none is there and none is answered."""
    there = labels.astype(bool)
    both = (answered & there).sum(axis=1)
    total = answered.sum(axis=1) + there.sum(axis=1)
    figures: NDArray[np.float64] = np.where(total > 0, 2 * both / np.maximum(total, 1), 1.0)
    return figures


def sureness(probabilities: Floats, answered: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(N,) the probability of the least sure decision of each image."""
    least: NDArray[np.float64] = np.where(answered, probabilities, 1 - probabilities).min(axis=1)
    return least
