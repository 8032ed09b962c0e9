"""The images that one of candidate and champion answers rightly and the other does not: for a person who decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sightline.registry.candidate import Candidate
    from sightline.registry.rules import Scored

MOST = 48
"""So many of either kind are kept, the surest mistakes first."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One test image on which the two differ."""

    path: str
    label: str
    gained: bool
    """Whether it is the candidate that is right."""
    candidate: str
    candidate_probability: float
    champion: str
    champion_probability: float


def differences(candidate: Candidate) -> tuple[Difference, ...]:
    """The gained images, then the lost ones; none where there is no champion."""
    if candidate.rival is None:
        return ()
    own, other = candidate.answers, candidate.rival
    gained, lost = own.right > other.right, other.right > own.right
    sure = np.where(gained, other.probabilities.max(axis=1), own.probabilities.max(axis=1))
    order = np.argsort(-sure, kind="stable")
    rows = [*order[gained[order]][:MOST].tolist(), *order[lost[order]][:MOST].tolist()]
    paths = candidate.rows["path"].tolist()
    return tuple(_difference(candidate, row, paths[row], gained=bool(gained[row])) for row in rows)


def _difference(candidate: Candidate, row: int, path: str, *, gained: bool) -> Difference:
    assert candidate.rival is not None  # noqa: S101 — asked only where there is a champion
    own, own_share = _answer(candidate, candidate.answers, row)
    other, other_share = _answer(candidate, candidate.rival, row)
    return Difference(
        path=path,
        label=str(candidate.labels[row]),
        gained=gained,
        candidate=own,
        candidate_probability=own_share,
        champion=other,
        champion_probability=other_share,
    )


def _answer(candidate: Candidate, scored: Scored, row: int) -> tuple[str, float]:
    card = candidate.predictor(scored.version).card
    return scored.head.decided(scored.probabilities[row, : len(card.classes)], card)
