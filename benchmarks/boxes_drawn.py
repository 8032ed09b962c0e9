"""Detectors that are only drawn: what `benchmarks/gate_boxes.py` asks the gate about.

Objects have a difficulty that all detectors share in part, so that two of them miss much the same; false alarms come
from places that look like something, and are shared as often.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.heads.matching import MOST, SCORE
from sightline.heads.targets import CLASS, NOTHING, OBJECT, WIDTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SHARES = (0.6, 0.3, 0.1)
"""Of the classes among the objects."""
OBJECTS, PLACES = 4.0, 4.0
"""Of each, and of places that may raise a false alarm, in an image on average."""
SIDE, SMALLEST, LARGEST = 512.0, 16.0, 120.0
"""Of the square and its objects, pixels."""
ALIKE = 0.8
"""Of the spread of difficulty and edges what all detectors share."""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How good a detector is."""

    finds: float = 1.2
    """The higher, the more objects are found: where it is above their difficulty, of spread 1."""
    alarms: float = 0.25
    """Share of the places that raise one."""
    off: float = 0.09
    """Spread of the edges, for a side of 1."""
    tells: float = 1.6
    """By how much the scores of right boxes lie above those of false alarms, in spreads."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """Images, and what all detectors see of them alike: objects first, then places."""

    truth: NDArray[Any]
    """(N, M, 6) as in `targets`."""
    images: NDArray[np.int64]
    """(K,) which image each object or place is of."""
    boxes: Floats
    """(K, 6) edges, class and kind."""
    real: NDArray[np.bool_]
    """(K,) whether it is an object."""
    hard: Floats
    """(K,) its difficulty, of spread 1."""
    edges: Floats
    """(K, 4) how its edges are mistaken, of spread 1."""


def draw(count: int, rng: np.random.Generator) -> Seen:
    """So many images."""
    numbers = [rng.poisson(mean, count) for mean in (OBJECTS, PLACES)]
    images = np.concatenate([np.repeat(np.arange(count), one) for one in numbers])
    real = np.arange(len(images)) < numbers[0].sum()
    sides = np.exp(rng.uniform(np.log(SMALLEST), np.log(LARGEST), (len(images), 1))) * rng.uniform(
        0.8, 1.25, (len(images), 2)
    )
    low = rng.uniform(0, SIDE - sides)
    classes = rng.choice(len(SHARES), len(images), p=SHARES)
    boxes = np.column_stack([low, low + sides, classes, np.full(len(images), OBJECT)])
    return Seen(
        truth=_stacked(boxes[real], images[real], count, int(numbers[0].max())),
        images=images,
        boxes=boxes,
        real=real,
        hard=rng.normal(size=len(images)),
        edges=rng.normal(size=(len(images), 4)),
    )


def answers(kind: Kind, seen: Seen, rng: np.random.Generator) -> NDArray[np.float32]:
    """(N, 100, 6) what such a detector answers, the surest first."""
    own = np.sqrt(1 - ALIKE)
    hard = np.sqrt(ALIKE) * seen.hard + own * rng.normal(size=len(seen.hard))
    edges = np.sqrt(ALIKE) * seen.edges + own * rng.normal(size=seen.edges.shape)
    # A place looks like something in any detector's eyes where it is least hard.
    alarm = np.quantile(seen.hard[~seen.real], kind.alarms) if (~seen.real).any() else 0.0
    shown = np.where(seen.real, hard < kind.finds, hard < alarm)
    sure = np.where(seen.real, kind.tells - 0.6 * hard, 0.0) + rng.normal(size=len(hard))
    boxes = seen.boxes.copy()
    sides = boxes[:, 2:4] - boxes[:, :2]
    boxes[:, :4] += kind.off * np.tile(sides, 2) * edges
    boxes[:, SCORE] = 1 / (1 + np.exp(0.5 - sure))
    boxes, images = boxes[shown], seen.images[shown]
    order = np.lexsort((-boxes[:, SCORE], images))
    return _stacked(boxes[order], images[order], len(seen.truth), MOST)


def _stacked(boxes: Floats, images: NDArray[np.int64], count: int, rows: int) -> NDArray[np.float32]:
    found = np.zeros((count, rows, WIDTH), dtype=np.float32)
    found[..., CLASS] = NOTHING
    order = np.argsort(images, kind="stable")
    place = np.arange(len(images)) - np.searchsorted(images[order], images[order])
    kept = place < rows
    found[images[order][kept], place[kept]] = boxes[order][kept]
    return found
