"""Calibration."""

from __future__ import annotations

import numpy as np

from sightline.registry import checks
from sightline.registry.blessing import FAILED, MISSING, PASSED, Bound
from sightline.registry.rules import Scored

BOUND = Bound(data="d", code="c", weights="w", release="r")


def answers(n: int, sharpen: float, seed: int = 0) -> Scored:
    """Answers that are as right as they say; `sharpen` above 1 makes them say more."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 5))
    odds = np.exp(logits)
    truth = np.array([rng.choice(5, p=row / row.sum()) for row in odds])
    louder = np.exp(logits * sharpen)
    return Scored(version="1", labels=truth, probabilities=louder / louder.sum(axis=1, keepdims=True))


def test_honest_answers_pass() -> None:
    """A model that is right as often as it says passes."""
    done = checks.check_calibration(answers(2000, 1.0), answers(1000, 1.0, 1), None, BOUND)
    assert done.verdict == PASSED, done.sentence


def test_overconfident_model_is_blocked() -> None:
    """A model that is surer than it is right is blocked with both figures, though its answers are the same."""
    done = checks.check_calibration(answers(2000, 2.5), answers(1000, 2.5, 1), None, BOUND)
    assert done.verdict == FAILED
    assert "not as right as it says" in done.sentence
    assert "fitted on 1000 calibration images" in done.sentence
    assert done.figures["ece"] > done.figures["ece_limit"]


def test_conformal_sets_fitted_on_other_images_are_blocked() -> None:
    """Where the calibration images are easier than the test images, the sets hold the truth too seldom."""
    hard = answers(2000, 1.0)
    easy = answers(1000, 1.0, 1)
    certain = Scored(version="1", labels=easy.probabilities.argmax(axis=1), probabilities=easy.probabilities)
    assert "its sets of likely classes" in checks.check_calibration(hard, certain, None, BOUND).sentence


def test_no_calibration_images_is_a_missing_check() -> None:
    """Without them nothing can be said, and the remedy is named."""
    none = Scored(version="1", labels=np.zeros(0, dtype=np.int64), probabilities=np.zeros((0, 5)))
    done = checks.check_calibration(answers(100, 1.0), none, None, BOUND)
    assert done.verdict == MISSING
    assert "datasets.target.roles.calib" in done.sentence
