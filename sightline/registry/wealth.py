"""At which p a comparison is won, so that the gate errs seldom over the life of a model, and never locks.

The comparisons share one family of errors: a share for each night since the first champion, and those of nights on
which nothing was compared fall to the next comparison. The shares fall and never end: no candidate is refused unseen.
Each promotion earns another family, new test images their share of one.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np

from sightline.registry.blessing import OVERALL, PASSED
from sightline.registry.ledger import PROMOTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.evaluate.metrics import FloatArray, IntArray
    from sightline.registry.candidate import Candidate
    from sightline.registry.ledger import Ledger

SLOW, FALL = 10, 1.4
"""How the shares fall: as (place + 10) ** -1.4; chosen by `benchmarks/gate.py`."""


def level(
    before: int | IntArray,
    place: int | IntArray,
    earned: Sequence[tuple[int | IntArray, float | FloatArray]],
    family: float,
) -> FloatArray:
    """The p at which a comparison is won that takes the places (from 1) after `before` up to `place`, of one shape.

    earned: after which place how many further families were earned. All places together spend what was had, however
    they are taken (by the calendar as in Lan and DeMets 1983, Biometrika 70). Generalised alpha-investing (Foster and
    Stine 2008; Aharoni and Rosset 2014, both Journal of the Royal Statistical Society B) with spending by a series as
    in LORD (Javanmard and Montanari 2018, Annals of Statistics 46): until something is earned the chance of any false
    promotion is at most `family`, whatever the candidates have in common; after that it is the expected number for
    each family.
    """
    had = [(0, 1.0), *earned]
    spent: FloatArray = sum(
        (much * (_left(np.subtract(before, after)) - _left(np.subtract(place, after))) for after, much in had),
        np.zeros(()),
    )
    return family * spent


def _left(place: IntArray) -> FloatArray:
    """What a family has left once that many of its places are taken: (place + 10) ** -1.4 of each, in all 1."""
    from scipy.special import zeta

    left: FloatArray = zeta(FALL, np.maximum(place, 0) + SLOW + 1.0) / zeta(FALL, SLOW + 1.0)
    return left


def spend(candidate: Candidate, champion: str) -> tuple[int, float]:
    """Take the next place; the place and the p at which this comparison is won."""
    ledger, model, asked = candidate.ledger, candidate.model, candidate.request
    before, place = ledger.comparisons.spend(
        model, candidate.testing.name, asked.version, champion, asked.rule, nights(ledger, model)
    )
    return place, float(level(before, place, _earned(ledger, model), candidate.limits.alpha))


def following(ledger: Ledger, model: str, family: float) -> float:
    """The p at which a comparison would be won now."""
    before = ledger.comparisons.last(model)
    return float(level(before, max(before + 1, nights(ledger, model)), _earned(ledger, model), family))


def _earned(ledger: Ledger, model: str) -> list[tuple[int, float]]:
    """By new test images and by promotions."""
    return [*ledger.comparisons.earned(model), *promotions(ledger, model)]


def nights(ledger: Ledger, model: str) -> int:
    """Whole days since the model got its first champion; 0 where it has none."""
    first = next((entry.at for entry in ledger.history(model) if entry.change is not None), None)
    return (datetime.now(UTC) - datetime.fromisoformat(first)).days if first else 0


def promotions(ledger: Ledger, model: str) -> list[tuple[int, float]]:
    """What promotions have earned, a family each: after the place of their comparison."""
    won = []
    for entry in ledger.history(model):
        if entry.decision == PROMOTED and entry.champion_before:
            (overall,) = (one for one in entry.evidence["blessings"] if one["name"] == OVERALL)
            # An older ledger counted its places by release, and gave no level.
            if overall["verdict"] == PASSED and "level" in overall["figures"]:
                won.append((int(overall["figures"]["place"]), 1.0))
    return won
