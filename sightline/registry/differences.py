"""The images that one of candidate and champion answers rightly and the other does not: for a person who decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sightline.heads.labels import LABELS

if TYPE_CHECKING:
    from sightline.registry.candidate import Candidate
    from sightline.registry.rules import Scored

MOST = 48
"""So many of either kind are kept, the surest mistakes first; of boxes the images whose figures differ most."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One test image on which the two differ."""

    path: str
    label: str
    gained: bool
    """Whether it is the candidate that is right, or the more right."""
    candidate: str
    candidate_probability: float
    champion: str
    champion_probability: float


def differences(candidate: Candidate) -> tuple[Difference, ...]:
    """The gained images, then the lost ones; none where there is no champion."""
    if candidate.rival is None:
        return ()
    gain = np.asarray(candidate.answers.right, dtype=np.float64) - candidate.rival.right
    found = [
        (_difference(candidate, row, gained=bool(gain[row] > 0)), float(gain[row]))
        for row in np.flatnonzero(gain).tolist()
    ]
    # Of boxes those are sure of everything that see next to nothing.
    by_gain = candidate.answers.head.is_located
    found.sort(key=lambda one: (-abs(one[1]) if by_gain else 0.0, -_mistaken(one[0])))
    sides = ([one for one, _ in found if one.gained is gained][:MOST] for gained in (True, False))
    return tuple(one for side in sides for one in side)


def _mistaken(one: Difference) -> float:
    """How sure the one that is less right is."""
    return one.champion_probability if one.gained else one.candidate_probability


def _difference(candidate: Candidate, row: int, *, gained: bool) -> Difference:
    assert candidate.rival is not None  # noqa: S101 — asked only where there is a champion
    own, own_share = _answer(candidate, candidate.answers, row)
    other, other_share = _answer(candidate, candidate.rival, row)
    label, labels = str(candidate.labels[row]), LABELS[candidate.answers.head.name]
    return Difference(
        path=str(candidate.rows["path"].iloc[row]),
        label=labels.shown(label) if labels.are_boxes else label,
        gained=gained,
        candidate=own,
        candidate_probability=own_share,
        champion=other,
        champion_probability=other_share,
    )


def _answer(candidate: Candidate, scored: Scored, row: int) -> tuple[str, float]:
    """In a few words, and how sure it is."""
    card, found = candidate.predictor(scored.version).card, scored.probabilities[row]
    # Rows are as wide as version and release together; boxes name their classes.
    mine = found if scored.head.is_located else found[: len(card.classes)]
    return scored.head.summary(mine, card), scored.head.decided(mine, card)[1]
