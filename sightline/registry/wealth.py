"""At which p a comparison is won, so that the gate errs seldom over the life of a model, and never locks.

The comparisons share one family of errors. The shares fall and never end: no candidate is refused unseen. Each
promotion earns another family, new test images their share of one.
"""

from __future__ import annotations

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
    place: int | IntArray, earned: Sequence[tuple[int | IntArray, float | FloatArray]], family: float
) -> FloatArray:
    """The p at which the comparison at `place` (from 1, of any shape) is won: all places together spend what was had.

    earned: after which place how many further families were earned. Generalised alpha-investing (Foster and Stine 2008;
    Aharoni and Rosset 2014, both Journal of the Royal Statistical Society B) with spending by a series as in LORD
    (Javanmard and Montanari 2018, Annals of Statistics 46): until something is earned the chance of any false promotion
    is at most `family`, whatever the candidates have in common; after that it is the expected number for each family.
    """
    return family * (_share(place) + sum((much * _share(np.subtract(place, after)) for after, much in earned), 0.0))


def _share(place: int | IntArray) -> FloatArray:
    """Of a family, for the comparison at that place after it was earned; all together are 1."""
    from scipy.special import zeta

    at = np.asarray(place, dtype=np.float64)
    share: FloatArray = np.where(at > 0, (np.maximum(at, 0) + SLOW) ** -FALL, 0.0) / zeta(FALL, SLOW + 1)
    return share


def spend(candidate: Candidate, champion: str) -> tuple[int, float]:
    """Take the next place; the place and the p at which this comparison is won."""
    ledger, model, asked = candidate.ledger, candidate.model, candidate.request
    place = ledger.comparisons.spend(model, candidate.testing.name, asked.version, champion, asked.rule)
    earned = [*ledger.comparisons.earned(model), *promotions(ledger, model)]
    return place, float(level(place, earned, candidate.limits.alpha))


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
