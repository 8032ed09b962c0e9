"""Part 1 of `benchmarks/gate.py`: which first champions the calibration check refuses.

A sound model is as right as it says at one temperature, which is fitted on calibration images as in production; so is
a perfect one, which is always right. An overconfident one is served at half of the temperature that it needs. So
many series are drawn of each that a binomial bound shows the mark, in a quarter of an hour on one core.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from gate_marks import Measured

from sightline.heads.temperature import fit_temperature, softmax
from sightline.registry.blessing import FAILED, Bound
from sightline.registry.check_calibration import check_calibration
from sightline.registry.rules import Scored

CLASSES = 10
SPREADS = {"perfect": 7.0, "right in 85 %": 7.0, "right in 97 %": 32.0}
"""Standard deviation of the logits, which decides how often a calibrated model is right."""
CALIB, TEST = (36, 144, 440), (45, 300, 5000)
LOUD = 2.0
"""By which factor the temperature of an overconfident model is too low."""
LOUD_IMAGES = ((36, 300), (144, 300), (300, 300), (440, 300), (300, 5000), (440, 5000))
"""Calibration and test images of overconfident models."""
LEAST = 300
"""Images of either role from which on the mark of overconfident ones holds."""
BOUND = Bound(data="", code="", weights="", release="")
SOUND, OVERCONFIDENT = 0.005, 0.95
"""The marks: refused in at most, and in at least that share."""
MANY = 1000
"""From so many test images on a series is dear."""
CHEAP, DEAR, LOUDLY = 2, 5, 25
"""That part of the series is drawn; overconfident models take all simulations of chance, and few of them show 95 %."""


def measure(series: int, _: np.random.Generator) -> list[Measured]:
    """Every kind at every number of images; each draws from a seed of its own."""
    sound = product(SPREADS, CALIB, TEST)
    rows = [asked(*cell, 1.0, series // (DEAR if cell[-1] >= MANY else CHEAP)) for cell in sound]
    loud = product(list(SPREADS)[1:], LOUD_IMAGES)
    return rows + [asked(name, *images, LOUD, max(series // LOUDLY, 200)) for name, images in loud]


def asked(model: str, calib: int, test: int, loud: float, series: int) -> Measured:
    """Share of so many models of a kind that the check refuses; `loud`: how many times too low the temperature is."""
    rng = np.random.default_rng([calib, test, int(loud), list(SPREADS).index(model)])
    refused = 0
    for _ in range(series):
        logits, labels = draw(model, calib + test, rng)
        temperature = fit_temperature(logits[:calib], labels[:calib]) / loud
        probabilities = softmax(logits, temperature)
        fitted, judged = (
            Scored(version="1", labels=labels[part], probabilities=probabilities[part])
            for part in (slice(None, calib), slice(calib, None))
        )
        refused += check_calibration(judged, fitted, None, BOUND, own=True).verdict == FAILED
    what = f"{model}, calib {calib}, test {test:,}{'' if loud == 1 else ', overconfident'}: refused"
    # The mark is about 300 images and more; what fewer calibration images can show is told.
    return Measured(
        what=what,
        share=refused / series,
        series=series,
        at_most=SOUND if loud == 1 else 1.0,
        at_least=OVERCONFIDENT if loud > 1 and min(calib, test) >= LEAST else 0.0,
    )


def draw(model: str, images: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, 10) and labels (N,) of a kind of model."""
    logits = rng.normal(size=(images, CLASSES)) * SPREADS[model]
    if model == "perfect":
        return logits, logits.argmax(axis=1)
    return logits, (softmax(logits).cumsum(axis=1) > rng.random((images, 1))).argmax(axis=1)
