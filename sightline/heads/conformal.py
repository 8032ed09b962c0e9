"""Conformal sets as serving answers with them: which classes one image may belong to.

Regularised adaptive prediction sets (RAPS, Angelopoulos et al. 2021); `evaluate.calibration` fits them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.floating[Any]]
    BoolArray = NDArray[np.bool_]


FITTING, JUDGED = (0, 1), (0, 2)
"""Seeds of what is random where sets are fitted and where they are judged: shared draws would tie the scores of both
together. The report, MLflow and the gate take these, so that all tell of one coverage."""


@dataclass(frozen=True, kw_only=True)
class Conformal:
    """What `raps_fit` found and `raps_sets` needs."""

    threshold: float
    """A class joins the set while its score is at most this."""
    coverage: float
    """Share of sets that shall hold the true class."""
    penalty: float
    """Added to the score for each rank beyond the free ones: keeps the sets small."""
    free_ranks: int
    """So many classes enter without penalty."""
    images: int
    """Calibration images behind the threshold."""


def raps_sets(conformal: Conformal, probabilities: FloatArray, rng: np.random.Generator | None = None) -> BoolArray:
    """Prediction sets (N, C) of probabilities (N, C): True where the class belongs to the set.

    Without `rng` no set is empty, and each contains the randomised one.
    """
    sets: BoolArray = raps_scores(probabilities, conformal.penalty, conformal.free_ranks, rng) <= conformal.threshold
    return sets


def answered_sets(conformal: Conformal, probabilities: FloatArray, rng: np.random.Generator) -> BoolArray:
    """The randomised sets (N, C) with the answer added to each: right in at least the share that was asked for."""
    sets = raps_sets(conformal, probabilities, rng)
    sets[np.arange(len(sets)), probabilities.argmax(axis=1)] = True
    return sets


def raps_scores(
    probabilities: FloatArray, penalty: float, free_ranks: int, rng: np.random.Generator | None
) -> FloatArray:
    """Scores (N, C): probability of the classes ranked before, a random share of its own, and the penalty."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=1).astype(np.float64)
    before = np.cumsum(ranked, axis=1) - ranked
    own = ranked * rng.random((len(ranked), 1)) if rng else 0.0
    extra = penalty * np.maximum(np.arange(1, ranked.shape[1] + 1) - free_ranks, 0)
    scores = np.empty_like(ranked)
    np.put_along_axis(scores, order, before + own + extra, axis=1)
    return scores
