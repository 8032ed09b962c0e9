"""Chance, where a temperature is fitted on few images."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.evaluate.fitted_null import Refit, chance
from sightline.heads.temperature import fit_temperature, softmax


def model(images: int, spread: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, 10), and labels drawn from exactly the probabilities that they mean."""
    logits = rng.normal(size=(images, 10)) * spread
    return logits, (softmax(logits).cumsum(axis=1) > rng.random((images, 1))).argmax(axis=1)


def found(calib: int, spread: float, rng: np.random.Generator) -> float:
    """The p of a sound model that `calib` images gave its temperature."""
    (fitting, known), (logits, labels) = model(calib, spread, rng), model(300, spread, rng)
    temperature = fit_temperature(fitting, known)
    return chance((softmax(fitting, temperature), known), (softmax(logits, temperature), labels), rng)


@pytest.mark.parametrize("spread", [6, 30])
@pytest.mark.parametrize("calib", [36, 144])
def test_sound_models_have_no_small_p(calib: int, spread: float) -> None:
    """At most 8 % of 80 models that are right in 82 and 97 % have a p up to .05, however few images fitted them."""
    rng = np.random.default_rng(calib)
    assert np.mean([found(calib, spread, rng) <= 0.05 for _ in range(80)]) <= 0.08


def test_table_answers_as_the_fit() -> None:
    """Over draws of the labels the table gives the temperatures that the fit gives."""
    rng = np.random.default_rng(0)
    logits, _ = model(100, 8, rng)
    drawn = np.sort(Refit(logits, 1.3).draw(400, rng)[0])
    share = softmax(logits, 1.3).cumsum(axis=1)
    fits = np.sort([fit_temperature(logits, (share > rng.random((100, 1))).argmax(axis=1)) for _ in range(400)])
    for quantile in (0.1, 0.5, 0.9):
        assert np.quantile(drawn, quantile) == pytest.approx(np.quantile(fits, quantile), rel=0.04)


def test_model_that_is_always_right_has_no_chance_against_it() -> None:
    """It claims too much nowhere, and every simulation does at least that."""
    rng = np.random.default_rng(0)
    logits, _ = model(400, 6, rng)
    labels = logits.argmax(axis=1)
    temperature = fit_temperature(logits[:100], labels[:100])
    probabilities = softmax(logits, temperature)
    assert chance((probabilities[:100], labels[:100]), (probabilities[100:], labels[100:]), rng) > 0.9
