"""The chance that a label is wrong, from what a classifier says of images that it never saw.

A given label is the true one, or came instead of it. How often that happens, and how sure the classifier may be of
itself, is what makes the labels that were given most likely: so one that cannot tell the classes apart blames itself,
not the labels. Errors come at one rate whatever the classes are, or by a rate for each class that is taken for another
(a transition matrix, fitted by expectation maximisation). The second counts where it explains the labels better by more
log likelihood than its rates cost: 1 for each that stands for an image (Akaike 1974), and the logarithm of how many
there are to choose from (Foster and George 1994).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Labels = NDArray[np.intp]

FITTED = 5000
"""Images at most by which rates and sureness are fitted."""
START = (0.4, -3.5)
"""Where the search begins: half as sure again as the classifier says, three labels in a hundred wrong."""
TURNS, BETWEEN = 30, 5
"""Of expectation maximisation; the sureness is fitted anew after so many."""
SURENESS = (-1.0, 2.5)
"""Between which its logarithm lies."""
PRIOR, WEIGHT = 0.033, 60.0
"""Share of labels that is expected to be wrong, as in ten well-known test sets (Northcutt, Athalye and Mueller 2021),
and how many images that counts for: in a small set a weak classifier alone would be blamed, never a label."""
SHRINK = 10.0
"""Images of each class by which its rates are drawn to the one of all."""
TINY = 1e-12


def chances(given: Labels, probabilities: Floats) -> Floats:
    """The chance (N,) that each label is wrong.

    `given` holds N classes by number, `probabilities` (N, K) what a classifier says that saw none of them; K ≥ 2.
    """
    scores, step = np.log(probabilities.clip(TINY)), -(-len(given) // FITTED)
    part, of = scores[::step], given[::step]
    sureness, rates = _at_one_rate(part, of)
    # More rates than images can explain nothing.
    if rates.size <= len(of):
        other = _by_class(part, of, rates)
        gain = _explained(part, of, *other) - _explained(part, of, sureness, rates)
        if gain > _cost(part, of, *other):
            sureness, rates = other
    ways = _ways(scores, given, sureness, rates)
    wrong: Floats = 1 - ways[np.arange(len(given)), given] / ways.sum(1)
    return wrong


def _at_one_rate(scores: Floats, given: Labels) -> tuple[float, Floats]:
    from scipy.optimize import minimize
    from scipy.special import expit

    classes = scores.shape[1]
    found = minimize(
        lambda values: -_likely(scores, given, values[0], float(expit(values[1]))),
        START,
        method="Nelder-Mead",
    )
    return float(found.x[0]), _even(classes, float(expit(found.x[1])))


def _likely(scores: Floats, given: Labels, sureness: float, rate: float) -> float:
    """Log likelihood of the labels at one rate of errors, and of that rate (beta distribution), but for a constant."""
    rate = min(max(rate, TINY), 1 - TINY)
    expected = WEIGHT * (PRIOR * np.log(rate) + (1 - PRIOR) * np.log1p(-rate))
    return _explained(scores, given, sureness, _even(scores.shape[1], rate)) + float(expected)


def _by_class(scores: Floats, given: Labels, rates: Floats) -> tuple[float, Floats]:
    from scipy.optimize import minimize_scalar

    classes, sureness = len(rates), 0.0
    for turn in range(TURNS):
        if turn % BETWEEN == 0:
            now = rates
            sureness = float(
                minimize_scalar(
                    lambda value, now=now: -_explained(scores, given, value, now), bounds=SURENESS, method="bounded"
                ).x
            )
        counts = _counts(_ways(scores, given, sureness, rates), given)
        all_rates = _even(classes, float(len(given) - np.trace(counts) + PRIOR * WEIGHT) / (len(given) + WEIGHT))
        rates = counts + SHRINK * all_rates
        rates = rates / rates.sum(1, keepdims=True)
    return sureness, rates


def _cost(scores: Floats, given: Labels, sureness: float, rates: Floats) -> float:
    counts = _counts(_ways(scores, given, sureness, rates), given)
    np.fill_diagonal(counts, 0)
    return float((counts > 1).sum() * (1 + np.log(rates.size - len(rates))))


def _counts(ways: Floats, given: Labels) -> Floats:
    """(true, given): how many images of each class were given each label."""
    counts = np.zeros((ways.shape[1], ways.shape[1]))
    np.add.at(counts.T, given, ways / ways.sum(1, keepdims=True))
    return counts


def _even(classes: int, rate: float) -> Floats:
    """(true, given): every class is taken for each other one alike."""
    rates = np.full((classes, classes), rate / (classes - 1))
    np.fill_diagonal(rates, 1 - rate)
    return rates


def _ways(scores: Floats, given: Labels, sureness: float, rates: Floats) -> Floats:
    """(N, K): how likely each label was given where each class is the true one; sums to its likelihood."""
    from scipy.special import softmax

    ways: Floats = softmax(scores * np.exp(sureness), axis=1) * rates[:, given].T + TINY
    return ways


def _explained(scores: Floats, given: Labels, sureness: float, rates: Floats) -> float:
    """Log likelihood of the labels."""
    return float(np.log(_ways(scores, given, sureness, rates).sum(1)).sum())
