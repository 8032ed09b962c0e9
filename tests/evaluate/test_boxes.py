"""Figures of boxes, and what the calibration images fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sightline.evaluate import boxes
from sightline.evaluate.confidence import Wanted
from sightline.evaluate.measures import MEASURES
from sightline.heads.detect import Detect
from sightline.heads.labels import DETECT
from sightline.heads.matching import match, precision
from sightline.heads.targets import CLASS, NOTHING, OBJECT, packed
from sightline.models.bundle import Card

if TYPE_CHECKING:
    from sightline.evaluate.confidence import Confidence

CLASSES = ["green", "red"]


def drawn(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Answers and truth: objects are found four times in five, the surer the better, with some boxes of noise."""
    rng = np.random.default_rng(seed)
    answers = np.zeros((count, 100, 6), dtype=np.float32)
    answers[..., CLASS] = NOTHING
    rows = []
    for image in range(count):
        true, given = [], []
        for _ in range(int(rng.integers(0, 5))):
            left, top = rng.uniform(0, 200, 2)
            side = rng.uniform(8, 60)
            number = int(rng.integers(0, 2))
            true.append((left, top, left + side, top + side, number, OBJECT))
            if rng.random() < 0.8:
                given.append(
                    (*(np.array([left, top, left + side, top + side]) + rng.normal(0, 1, 4)), number, rng.beta(5, 2))
                )
        for _ in range(int(rng.integers(0, 3))):
            left, top = rng.uniform(0, 200, 2)
            given.append((left, top, left + 20, top + 20, int(rng.integers(0, 2)), rng.beta(2, 5)))
        given.sort(key=lambda one: -one[5])
        answers[image, : len(given)] = np.array(given, dtype=np.float32).reshape(-1, 6)
        rows.append(np.array(true, dtype=np.float64).reshape(-1, 6))
    return answers, packed(rows)


def test_wanted_precision_is_kept_by_the_boxes() -> None:
    """Of each class, on new images about as on the calibration images, above that of the highest F1."""
    found = {}
    for wanted in (None, 0.97):
        fitted = boxes.fit(*drawn(900, 0), Wanted(accuracy=0.8, precision=wanted), 2)
        found[wanted] = MEASURES[DETECT].measured(fitted, CLASSES, *drawn(900, 1), np.ones(900))
        assert found[wanted]["wanted_precision"] == wanted
    for name in CLASSES:
        assert found[0.97]["per_class"][name]["precision"] == pytest.approx(0.97, abs=0.02)
        assert found[None]["per_class"][name]["precision"] < 0.95
        assert found[None]["per_class"][name]["recall"] > found[0.97]["per_class"][name]["recall"] > 0.2


def test_figures_are_those_of_the_answers() -> None:
    """Average precision by class, size and over all; counts at the thresholds; everything fits into JSON."""
    fitted = boxes.fit(*drawn(150, 0), Wanted(accuracy=0.8), 2)
    answers, truth = drawn(150, 1)
    found = MEASURES[DETECT].measured(fitted, CLASSES, answers, truth, np.ones(150))
    assert found["map50"] == precision(match(list(answers), list(truth), 2)).mean50
    assert found["map_by_size"]["large"] is None
    micro = found["averages"]["micro"]
    assert micro["support"] == int((truth[..., CLASS] >= 0).sum())
    assert 0.6 < micro["f1"] < 1
    assert found["accuracy"] == pytest.approx(
        Detect().figures(Detect().probabilities(answers, _card(fitted)), truth, _card(fitted)).mean()
    )
    assert len(found["per_class"]["red"]["curve"]) == 101
    # Twice the pixels, four times the area.
    larger = boxes.measured(fitted, CLASSES, answers, truth, np.full(150, 2.0))
    assert larger["map_by_size"]["large"] is not None


def test_scores_are_calibrated_on_the_calibration_images() -> None:
    """Afterwards of boxes with a score of 0.8 eight in ten are right, nearly."""
    fitted = boxes.fit(*drawn(600, 0), Wanted(accuracy=0.8), 2)
    found = boxes.measured(fitted, CLASSES, *drawn(600, 1), np.ones(600))
    assert found["ece_after"] < found["ece_before"]
    assert found["ece_after"] < 0.05


def test_no_image_to_calibrate_on() -> None:
    """The scores stay as they are, and one half decides."""
    answers, truth = drawn(4, 0)
    fitted = boxes.fit(answers[:0], truth[:0], Wanted(accuracy=0.9), 2)
    assert (fitted.temperature, fitted.abstain_below) == (1.0, None)
    assert fitted.decoding is not None
    assert fitted.decoding["thresholds"] == (0.5, 0.5)


def test_a_model_that_finds_nothing_is_measured_all_the_same() -> None:
    """Every figure is a number; a class that it does not know is missed."""
    answers, truth = drawn(20, 0)
    answers[..., CLASS], answers[..., 5] = NOTHING, 0
    fitted = boxes.fit(answers, truth, Wanted(accuracy=0.9), 2)
    found = boxes.measured(fitted, [*CLASSES, "blue"], answers, truth, np.ones(20))
    assert (found["map50"], found["averages"]["micro"]["f1"]) == (0, 0)
    assert found["per_class"]["blue"]["support"] == 0
    assert np.isfinite([found[name] for name in ("log_loss", "brier", "ece_before", "ece_after", "accuracy")]).all()


def _card(fitted: Confidence) -> Card:
    return Card(
        "cnn", 256, tuple(CLASSES), fitted.temperature, "", task=DETECT, decoding=fitted.decoding, fit="letterbox"
    )
