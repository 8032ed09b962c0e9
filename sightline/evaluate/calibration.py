"""Whether a classifier knows when it is right: calibration error, risk and conformal sets.

Everything that is fitted here is fitted on the images of role `calib` and checked on those of role `test`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sightline.heads.conformal import Conformal, raps_scores

if TYPE_CHECKING:
    from sightline.evaluate.metrics import BoolArray, FloatArray, IntArray

BINS = 15


@dataclass(frozen=True, kw_only=True)
class Bin:
    """The images whose confidence lies between two marks of the reliability diagram."""

    confidence: float
    """Mean probability of the answer."""
    accuracy: float
    """Share of right answers."""
    count: int


def reliability(probabilities: FloatArray, labels: IntArray, bins: int = BINS) -> list[Bin]:
    """Reliability diagram: bins of equal width over the confidence, lowest first, empty ones left out.

    probabilities: (N, C); labels: (N,).
    """
    confidence, right = answers(probabilities, labels)
    place = _place(confidence, bins)
    return [
        Bin(
            confidence=float(confidence[place == index].mean()),
            accuracy=float(right[place == index].mean()),
            count=int(np.sum(place == index)),
        )
        for index in np.unique(place)
    ]


def ece(probabilities: FloatArray, labels: IntArray, bins: int = BINS) -> float:
    """ECE, the calibration error of the answers: mean |accuracy - confidence| over the bins, weighted by count."""
    confidence, right = answers(probabilities, labels)
    return _gap(confidence, right, _place(confidence, bins))


def ece_null(probabilities: FloatArray, draws: int, rng: np.random.Generator, bins: int = BINS) -> float:
    """95 % quantile of the ECE that perfectly calibrated answers with these confidences show.

    The ECE of few images is above 0 for every model, so it is told beside this. Each of the `draws` lets every answer
    be right with exactly the probability that it claims.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    place = _place(confidence, bins)
    simulated = [_gap(confidence, rng.random(len(confidence)) < confidence, place) for _ in range(draws)]
    return float(np.quantile(simulated, 0.95))


class Claims:
    """The confidences (N,) of some answers, with their bins: what of them is kept can be asked again and again."""

    def __init__(self, confidence: FloatArray) -> None:
        place = _place(confidence, BINS)
        self.order = np.argsort(place.astype(np.int8), kind="stable")
        self.starts = np.flatnonzero(np.diff(place[self.order], prepend=-1))
        self.confidence = confidence[self.order]
        chance = np.sqrt(np.sum(confidence * (1 - confidence)))
        self.chance = max(float(chance), np.finfo(np.float64).eps)

    def over(self, right: BoolArray) -> FloatArray:
        """That part of the ECE where answers claim more than they keep, in standard deviations of its chance.

        right: (N,), or (D, N) for D draws, which give (D,). It is 0 for a model that is always right, however little it
        claims.
        """
        gaps = np.add.reduceat(self.confidence - right[..., self.order], self.starts, axis=-1)
        total: FloatArray = np.maximum(gaps, 0).sum(axis=-1) / self.chance
        return total


@dataclass(frozen=True, kw_only=True)
class RiskCoverage:
    """What answering only above a confidence costs and brings; one entry per distinct confidence, highest first."""

    threshold: FloatArray
    """The least confidence that is answered."""
    coverage: FloatArray
    """Share of the images that are answered."""
    risk: FloatArray
    """Share of wrong ones among the answers."""


def risk_coverage(probabilities: FloatArray, labels: IntArray) -> RiskCoverage:
    """Risk-coverage curve (El-Yaniv and Wiener 2010) of probabilities (N, C) and labels (N,)."""
    return curve(*answers(probabilities, labels))


def curve(confidence: FloatArray, right: BoolArray) -> RiskCoverage:
    """The same of answers (N,) that are so sure, and right or not."""
    threshold, answered, wrong = ranked(confidence, right)
    return RiskCoverage(threshold=threshold, coverage=answered / len(right), risk=wrong / answered)


def raps_fit(
    probabilities: FloatArray,
    labels: IntArray,
    coverage: float = 0.9,
    *,
    penalty: float = 0.01,
    free_ranks: int = 5,
    rng: np.random.Generator | None = None,
) -> Conformal:
    """Fit regularised adaptive prediction sets (RAPS, Angelopoulos et al. 2021).

    probabilities: (N, C); labels: (N,). With `rng` the scores are randomised, and sets randomised too are right in
    exactly the wanted share. Without it the top class scores 0, the scores tie, and the sets are right in at least
    that share. Where N is too small for the coverage, every set holds all classes.
    """
    scores = raps_scores(probabilities, penalty, free_ranks, rng)
    of_truth = np.sort(np.take_along_axis(scores, labels[:, None], axis=1)[:, 0])
    rank = conformal_rank(len(labels), coverage)
    # Finite, because infinity is no JSON: no score reaches it.
    above_all = 2.0 + penalty * probabilities.shape[1]
    return Conformal(
        threshold=float(of_truth[rank - 1]) if rank <= len(labels) else above_all,
        coverage=coverage,
        penalty=penalty,
        free_ranks=free_ranks,
        images=len(labels),
    )


def conformal_rank(images: int, coverage: float) -> int:
    """Which of the sorted calibration scores is the threshold, from 1; above `images` where these are too few."""
    # The product of a decimal fraction may land a hair above the whole number that it means.
    return math.ceil((images + 1) * coverage - 1e-9)


def coverage_p(held: int, test: int, calib: int, coverage: float) -> float:
    """How often sets hold the truth in at most `held` of `test` images where they were fitted on `calib` like these.

    Beta-binomial, exact for randomised sets (Angelopoulos and Bates 2023); larger ones hold it more often.
    """
    from scipy.stats import betabinom

    rank = conformal_rank(calib, coverage)
    return float(betabinom.cdf(held, test, rank, calib + 1 - rank)) if rank <= calib else 1.0


def answers(probabilities: FloatArray, labels: IntArray) -> tuple[FloatArray, BoolArray]:
    """Confidence (N,) of each answer, and whether it is right."""
    return probabilities.max(axis=1).astype(np.float64), probabilities.argmax(axis=1) == labels


def _place(confidence: FloatArray, bins: int) -> IntArray:
    """Bin of each confidence; bins are open below and closed above, as in Guo et al. 2017."""
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)


def _gap(confidence: FloatArray, right: BoolArray, place: IntArray) -> float:
    return float(np.abs(np.bincount(place, weights=right - confidence)).sum() / len(confidence))


def ranked(confidence: FloatArray, right: BoolArray) -> tuple[FloatArray, IntArray, IntArray]:
    """Distinct confidences of answers (N,), highest first, with the count from there on and of the wrong ones."""
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    # Images of equal confidence are answered together or not at all.
    last = np.append(falling[1:] < falling[:-1], True)
    return falling[last], np.flatnonzero(last) + 1, np.cumsum(~right[order])[last]
