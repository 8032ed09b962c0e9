"""What overclaim a model shows that is as right as it says, but for a temperature fitted on few images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sightline.evaluate.calibration import Claims, answers
from sightline.heads.temperature import fit_temperature, softmax

if TYPE_CHECKING:
    from sightline.evaluate.metrics import BoolArray, FloatArray, IntArray

MOST, BATCH, ENOUGH = 2000, 50, 10
"""Simulations at most, at once, and as large an error among them as ends them."""
LEAST = 1e-300
"""Of a probability, whose logarithm is taken."""
GRID = np.linspace(-3, 3, 61)
"""Logarithms of 1 / temperature between which a fit is interpolated."""
STEP = 0.04
"""Temperatures that differ by less than this share of theirs are taken for one."""


def chance(calib: tuple[FloatArray, IntArray], test: tuple[FloatArray, IntArray], rng: np.random.Generator) -> float:
    """How often chance alone makes both sets together show as much overclaim, at least 1 / 2001.

    Both are probabilities (N, C) with N ≥ 1 and labels (N,); those of `calib` answer the images that the temperature
    was fitted on. Assumed is that at one temperature, the one that fits both together best, all answers are as right as
    they say. Each simulation draws the labels of both from that, fits the temperature to those of calib again and
    counts. They end once p is plainly not small (Besag and Clifford 1991).
    """
    fitting, judged = _logs(calib[0]), _logs(test[0])
    # Of calib too: it is next to nothing where the temperature is its own, and tells one that is not.
    found = _over(test) + _over(calib)
    truth = fit_temperature(np.concatenate([fitting, judged]), np.concatenate([calib[1], test[1]]))
    refit, own, other = Refit(fitting, truth), columns(fitting), columns(judged)
    meant = confidences(other, truth)
    claims: dict[float, tuple[Claims, Claims]] = {}
    drawn = above = 0
    while drawn < MOST and above < ENOUGH:
        temperatures, kept = refit.draw(BATCH, rng)
        steps = np.round(np.log(temperatures) / STEP)
        for step in np.unique(steps).tolist():
            if step not in claims:
                at = math.exp(step * STEP)
                claims[step] = Claims(confidences(own, at)), Claims(confidences(other, at))
            of_calib, of_test = claims[step]
            right = kept[steps == step]
            simulated = of_calib.over(right) + of_test.over(rng.random((len(right), len(meant))) < meant)
            # The same outcome again may differ by rounding: a model that is always right has one.
            above += int(np.sum(simulated >= found - 1e-9))
        drawn += BATCH
    return (above + 1) / (drawn + 1)


def off(probabilities: FloatArray, labels: IntArray) -> float:
    """How many times too low the temperature of answers (N, C) is for labels (N,): 1 where it was fitted on them."""
    return fit_temperature(_logs(probabilities), labels)


class Refit:
    """The temperatures that `fit_temperature` finds for logits (N, C), where labels are drawn at the one of `truth`.

    The labels enter its loss through the sum of their logits alone, so a table over temperatures answers for all draws.
    """

    def __init__(self, logits: FloatArray, truth: float) -> None:
        self.logits = logits - logits.max(axis=1, keepdims=True)
        self.best = logits.argmax(axis=1)[:, None]
        self.share = softmax(self.logits, truth).cumsum(axis=1)
        self.second = float(np.partition(self.logits, -2, axis=1)[:, -2].mean())
        across = columns(logits)
        means = [_mean(across, math.exp(-cold)).sum() for cold in GRID]
        self.sums = np.array(means) * (1 + 1 / len(logits))

    def draw(self, count: int, rng: np.random.Generator) -> tuple[FloatArray, BoolArray]:
        """For so many draws of the labels the temperature (count,), and which answers (count, N) are right."""
        images, classes = self.logits.shape
        rows = np.arange(images)[:, None]
        # Rows of shares that rise from one image to the next are searched as one.
        chosen = np.searchsorted((self.share[:, :-1] + rows).ravel(), rng.random((images, count)) + rows)
        labels = chosen - rows * (classes - 1)
        sums = np.take_along_axis(self.logits, labels, axis=1).sum(axis=0)
        return np.exp(-np.interp(sums + self.second, self.sums, GRID)), (labels == self.best).T


def columns(logits: FloatArray) -> FloatArray:
    """Logits (N, C) as (C, N), less the largest of each: adding up a few numbers is slow where they lie in a row."""
    return np.ascontiguousarray((logits - logits.max(axis=1, keepdims=True)).T)


def confidences(across: FloatArray, temperature: float) -> FloatArray:
    """(N,) the largest probability of each image at a temperature, of `columns` (C, N)."""
    largest: FloatArray = 1 / np.exp(across / temperature).sum(axis=0)
    return largest


def _mean(across: FloatArray, temperature: float) -> FloatArray:
    """(N,) the mean logit where classes are drawn at a temperature, of `columns` (C, N)."""
    odds = np.exp(across / temperature)
    mean: FloatArray = (odds * across).sum(axis=0) / odds.sum(axis=0)
    return mean


def _over(pair: tuple[FloatArray, IntArray]) -> FloatArray:
    confidence, right = answers(*pair)
    return Claims(confidence).over(right)


def _logs(probabilities: FloatArray) -> FloatArray:
    logs: FloatArray = np.log(np.maximum(probabilities, LEAST))
    return logs
