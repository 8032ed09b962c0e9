"""Whether a graph answers as the bundle that it was made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.errors import ModelError
from sightline.heads.rows import EPSILON
from sightline.models.rounding import ROUNDINGS, reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sightline.models.predictor import Predictor

    Floats = NDArray[np.floating[Any]]

FOREIGN = 0.01
"""Largest difference of the logarithms of a foreign score: it is made of small differences of large squares, which
float32 rounds by up to 4e-4 in the networks that were tried."""


@dataclass(frozen=True)
class Parity:
    """How well both agree."""

    images: int
    difference: float
    """Largest, of a probability; of boxes also of an edge, as a share of the square's side."""
    allowed: float
    """What rounding explains."""


def parity(predictor: Predictor, images: Sequence[bytes], probabilities: Floats, scores: Floats | None) -> Parity:
    """Compare a graph's probabilities (N, C), or boxes, and foreign scores (N,) with the bundle's, by rounding alone.

    Raises ModelError, with figures, where a decision or a probability is another one.
    """
    task, card = predictor.task, predictor.card
    known = reference(predictor, images)
    before = task.probabilities(known.own.logits, card)
    # A graph may hand out float32, however small the logits are.
    allowed = ROUNDINGS * max(task.rounding(known.own.logits, known.logits, card), EPSILON)
    found = Parity(len(images), task.off(probabilities, before), allowed)
    if not found.difference <= allowed:
        raise ModelError(
            f"the graph does not answer as the version does: on {len(images)} golden images a probability is off by "
            f"{found.difference:.2g}, rounding explains {allowed:.2g}; use torch's form"
        )
    scored = None if predictor.known is None else predictor.known.scores(known.own.described)
    _check_decisions(predictor, (before, scored), (probabilities, scores))
    return found


def _check_decisions(
    predictor: Predictor, before: tuple[Floats, Floats | None], after: tuple[Floats, Floats | None]
) -> None:
    for place in range(len(before[0])):
        (was, score), (now, other) = (_decided(predictor, *one, place) for one in (before, after))
        off = abs(float(np.log(other) - np.log(score)))
        if was != now or not off <= FOREIGN:
            raise ModelError(
                f"the graph decides otherwise on golden image {place + 1}: {now} instead of {was}, "
                f"the logarithm of the foreign score off by {off:.2g} of {FOREIGN:g}; use torch's form"
            )


def _decided(predictor: Predictor, rows: Floats, scores: Floats | None, place: int) -> tuple[str, float]:
    """What is answered to an image, with the doubts about it, and its foreign score: 1 where none can be told."""
    row, card = rows[place], predictor.card
    _, sure = predictor.task.decided(row, card)
    score = 1.0 if scores is None else float(scores[place])
    doubts = {"abstains": card.abstain_below is not None and sure < card.abstain_below, "foreign": score > 1}
    said = [predictor.task.summary(row, card), *(f"({name})" for name, is_so in doubts.items() if is_so)]
    return " ".join(said), score
