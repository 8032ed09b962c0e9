"""What a model knows, and what it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sightline.models import foreign
from sightline.models.foreign import FEWEST, Known, fit

if TYPE_CHECKING:
    from pathlib import Path

FEATURES = 80


def describe(features: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """As `foreign.describe` does it, with a sure logit for each image."""
    return foreign.describe(features, np.tile(np.array([9, 0, 0], dtype=np.float32), (len(features), 1)), pixels)


def images(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features around one of three means, grey pictures, and labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    means = np.random.default_rng(0).normal(size=(3, FEATURES)) * 3
    pixels = rng.normal(100, 10, (count, 16, 16, 1)).clip(0, 255).astype(np.uint8).repeat(3, axis=3)
    return (means[labels] + rng.normal(size=(count, FEATURES))).astype(np.float32), pixels, labels


def known() -> Known:
    (features, pixels, labels), (others, seen, _) = images(600, 1), images(400, 7)
    found = fit(describe(features, pixels), labels, describe(others, seen), FEATURES)
    assert found is not None
    return found


def test_usual_images_are_seldom_foreign() -> None:
    """Of new images of the same kind about one in a hundred lies beyond the limit."""
    features, pixels, _ = images(2000, 3)
    assert 0.001 <= np.mean(known().scores(describe(features, pixels)) > 1) <= 0.03


def test_unusual_features_are_foreign() -> None:
    """Features between the classes, where a network may be sure of any of them, are far from every class."""
    _, pixels, _ = images(100, 3)
    between = np.zeros((100, FEATURES), dtype=np.float32)
    assert (known().scores(describe(between, pixels)) > 1).all()


def test_unusual_pixels_are_foreign() -> None:
    """Where the features are usual, colours that training never showed are enough, and so is finer grain."""
    features, pixels, _ = images(100, 3)
    coloured = pixels.copy()
    coloured[..., 0] = 255 - coloured[..., 0]
    grainy = np.random.default_rng(4).integers(0, 255, (*pixels.shape[:3], 1), dtype=np.uint8).repeat(3, axis=3)
    for other in (coloured, grainy):
        assert (known().scores(describe(features, other)) > 1).all()


def test_unusual_energy_is_foreign() -> None:
    """Where features and pixels are usual, logits that ask for no class are enough."""
    features, pixels, _ = images(100, 3)
    assert (known().scores(foreign.describe(features, np.zeros((100, 3), dtype=np.float32), pixels)) > 1).all()


def test_limit_is_that_of_calib() -> None:
    """Of 400 calibration images the four farthest lie beyond; of fewer than a hundred none does."""
    features, pixels, labels = images(600, 1)
    learned = describe(features, pixels)
    for count, beyond in ((400, 3), (60, 0)):
        others, seen, _ = images(count, 2)
        found = fit(learned, labels, describe(others, seen), FEATURES)
        assert found is not None
        assert (found.scores(describe(others, seen)) > 1 + 1e-6).sum() == beyond


def test_few_calib_images_give_no_limit() -> None:
    """The farthest of a handful would be passed by many usual images."""
    features, pixels, labels = images(600, 1)
    learned = describe(features, pixels)
    assert fit(learned, labels, learned[: FEWEST - 1], FEATURES) is None


def test_file_answers_as_what_was_written(tmp_path: Path) -> None:
    """What is read from the file scores as what was written, and takes 300 bytes for an image at most."""
    found = known()
    found.write(tmp_path / "known")
    described = describe(*images(50, 5)[:2])
    assert Known.read(tmp_path / "known").scores(described) == pytest.approx(found.scores(described), rel=1e-6)
    assert (tmp_path / "known").stat().st_size < 600 * 300


@pytest.mark.parametrize(("side", "scales"), [(2, 1), (8, 3), (16, 4), (224, 4)])
def test_statistics_at_every_side(side: int, scales: int) -> None:
    """Each has seven statistics of colour and two for each scale that fits, and all are numbers."""
    pixels = np.random.default_rng(0).integers(0, 255, (3, side, side, 3), dtype=np.uint8)
    found = describe(np.zeros((3, 1), dtype=np.float32), pixels)
    assert found.shape == (3, 1 + 7 + 2 * scales + 1)
    assert np.isfinite(found).all()


def test_constant_images_are_no_division_by_zero() -> None:
    """Training images that are all alike give a limit, and another image lies beyond it."""
    features, pixels = np.ones((90, FEATURES), dtype=np.float32), np.full((90, 16, 16, 3), 7, dtype=np.uint8)
    learned = describe(features, pixels)
    found = fit(learned, np.arange(90) % 3, learned, FEATURES)
    assert found is not None
    scores = found.scores(describe(features, np.full((90, 16, 16, 3), 200, dtype=np.uint8)))
    assert (scores > 1).all()
    assert np.isfinite(scores).all()
