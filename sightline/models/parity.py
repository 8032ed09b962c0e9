"""Whether a graph answers as the bundle that it was made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.errors import ModelError
from sightline.models.rounding import EPSILON, ROUNDINGS, reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sightline.heads.answer import Answer
    from sightline.models.predictor import Predictor

FOREIGN = 0.01
"""Largest difference of the logarithms of a foreign score: it is made of small differences of large squares, which
float32 rounds by up to 4e-4 in the networks that were tried."""


@dataclass(frozen=True)
class Parity:
    """How well both agree."""

    images: int
    difference: float
    """Largest, of a probability."""
    allowed: float
    """What rounding explains."""


def parity(
    predictor: Predictor,
    images: Sequence[bytes],
    probabilities: NDArray[np.floating[Any]],
    scores: NDArray[np.floating[Any]] | None,
) -> Parity:
    """Compare a graph's probabilities (N, C) and foreign scores (N,) with the bundle's, by the gate's own measure.

    Raises ModelError, with figures, where a decision or a probability is another one.
    """
    answers = predictor.predict(images)
    before = np.array([one.probabilities for one in answers])
    # A graph may hand out float32, however small the logits are.
    allowed = max(reference(predictor, images).allowed / predictor.card.temperature, ROUNDINGS * EPSILON)
    found = Parity(len(images), float(np.abs(probabilities - before).max()), allowed)
    if not found.difference <= allowed:
        raise ModelError(
            f"the graph does not answer as the version does: on {len(images)} golden images a probability is off by "
            f"{found.difference:.2g}, rounding explains {allowed:.2g}; use torch's form"
        )
    _check_decisions(predictor, answers, probabilities, scores)
    return found


def _check_decisions(
    predictor: Predictor,
    answers: Sequence[Answer],
    probabilities: NDArray[np.floating[Any]],
    scores: NDArray[np.floating[Any]] | None,
) -> None:
    card = predictor.card
    for place, (answer, row) in enumerate(zip(answers, probabilities, strict=True)):
        foreign = None if scores is None else bool(scores[place] > 1)
        label, sure = predictor.task.decided(row, card)
        unsure = card.abstain_below is not None and sure < card.abstain_below
        was, now = (
            (answer.label, bool(answer.abstain), answer.foreign),
            (label, bool(foreign) or unsure, foreign),
        )
        off = 0.0 if scores is None else abs(float(np.log(scores[place] / np.float64(answer.foreign_score))))
        if was != now or not off <= FOREIGN:
            raise ModelError(
                f"the graph decides otherwise on golden image {place + 1}: {_told(*now)} instead of {_told(*was)}, "
                f"the logarithm of the foreign score off by {off:.2g} of {FOREIGN:g}; use torch's form"
            )


def _told(label: str, abstain: bool, foreign: bool | None) -> str:  # noqa: FBT001 — the parts of a decision
    doubts = [word for word, is_so in (("abstains", abstain), ("foreign", foreign)) if is_so]
    return " ".join([label, *(f"({doubt})" for doubt in doubts)])
