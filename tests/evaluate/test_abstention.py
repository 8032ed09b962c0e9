"""The threshold of abstention: what it promises is kept."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.evaluate.abstention import abstention_threshold, fewest_images, most_shown
from sightline.heads.temperature import softmax


def answers(confidence: list[float], right: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Two-class probabilities with these confidences of class 0, and labels that make them right or wrong."""
    first = np.array(confidence)
    return np.column_stack([first, 1 - first]), np.where(right, 0, 1)


def calibrated(images: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N, 10), and labels drawn from exactly these."""
    probabilities = softmax(rng.normal(size=(images, 10)) * 4)
    return probabilities, (probabilities.cumsum(axis=1) > rng.random((images, 1))).argmax(axis=1)


def test_threshold_needs_enough_answers() -> None:
    """95 % is shown by 72 right answers and by no fewer; wrong ones below are left unanswered."""
    falling = np.linspace(0.99, 0.6, 100)
    few = answers(falling.tolist(), [index < 71 for index in range(100)])
    enough = answers(falling.tolist(), [index < 72 for index in range(100)])
    assert abstention_threshold(*few, 0.95) is None
    assert abstention_threshold(enough[0][:20], enough[1][:20], 0.95) is None
    assert abstention_threshold(*enough, 0.95) == pytest.approx(falling[71])
    assert most_shown(71) < 0.95 < most_shown(72)
    assert fewest_images(0.95) == 72
    assert most_shown(367) < 0.99 < most_shown(368)
    assert fewest_images(0.99) == 368


def test_threshold_answers_as_much_as_it_can() -> None:
    """Where all images together are right often enough, all are answered."""
    probabilities, labels = answers([0.9] * 50 + [0.6] * 50, [True] * 99 + [False])
    assert abstention_threshold(probabilities, labels, 0.9) == pytest.approx(0.6)


def test_an_error_at_the_top_does_not_end_the_search() -> None:
    """One wrong answer among the surest, as a wrong label makes it, leaves the later start."""
    right = [index != 0 for index in range(150)]
    probabilities, labels = answers(np.linspace(0.99, 0.6, 150).tolist(), right)
    assert abstention_threshold(probabilities, labels, 0.95) == pytest.approx(0.6)


@pytest.mark.parametrize(("images", "least"), [(100, 30), (200, 150), (1000, 280)])
def test_wanted_accuracy_is_kept(images: int, least: int) -> None:
    """Over 300 calibration sets the answers are right less often than promised in one of ten at most."""
    rng = np.random.default_rng(images)
    probabilities, labels = calibrated(20_000, rng)
    right, sure = probabilities.argmax(axis=1) == labels, probabilities.max(axis=1)
    found = [abstention_threshold(*calibrated(images, rng), 0.9) for _ in range(300)]
    broken = sum(one is not None and right[sure >= one].mean() < 0.9 for one in found)
    assert broken <= 30
    assert sum(one is not None for one in found) >= least
