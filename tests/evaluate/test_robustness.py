"""Corrupted test images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import COLOURS, draw

from sightline.evaluate.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from sightline.evaluate.robustness import GATE, grid, mean_corruption_error, right, subset
from sightline.models.bundle import Card
from sightline.models.predictor import Predictor
from sightline.models.zoo import build


def images(side: int, count: int = 4) -> np.ndarray:
    return np.stack([np.asarray(draw(seed, COLOURS["blue"], side)) for seed in range(count)])


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    torch.manual_seed(0)
    return Predictor(Card("cnn", 16, ("cat", "dog"), 1.0, ""), build("cnn", 2, 16))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corruption_is_repeatable_and_harms(name: str) -> None:
    """A corruption keeps shape and type, changes the image at every severity, and is the same each time."""
    pixels = images(64)
    for severity in SEVERITIES:
        changed = corrupt(pixels, name, severity)
        assert changed.shape == pixels.shape
        assert changed.dtype == np.uint8
        assert (changed != pixels).any(axis=(1, 2, 3)).all()
        assert np.array_equal(changed, corrupt(pixels, name, severity))


@pytest.mark.parametrize("name", sorted(set(CORRUPTIONS) - {"elastic_transform", "glass_blur", "frost", "fog"}))
def test_severity_rises(name: str) -> None:
    """Severity 5 moves the pixels farther than severity 1; the others trade one harm for another."""
    pixels = images(64, 8).astype(int)
    mild, harsh = (np.abs(corrupt(pixels.astype(np.uint8), name, severity) - pixels).mean() for severity in (1, 5))
    assert harsh > mild


@pytest.mark.parametrize("name", ["defocus_blur", "motion_blur", "zoom_blur", "glass_blur"])
@pytest.mark.parametrize("side", [16, 33, 224])
def test_blurs_keep_a_plain_image(name: str, side: int) -> None:
    """Blurring an image of one colour changes nothing, at any side."""
    plain = np.full((2, side, side, 3), 90, np.uint8)
    assert np.abs(corrupt(plain, name, 5).astype(int) - plain).max() <= 1


def test_blur_scales_with_the_side() -> None:
    """A point is smeared over the same share of the image at twice the side."""

    def share(side: int) -> float:
        pixels = np.zeros((1, side, side, 3), np.uint8)
        middle = side // 2
        pixels[:, middle - side // 16 : middle + side // 16, middle - side // 16 : middle + side // 16] = 255
        return float((corrupt(pixels, "defocus_blur", 5) > 20).mean())

    assert share(112) == pytest.approx(share(224), rel=0.1)


def test_no_pixel_of_another_image_comes_in() -> None:
    """An image is corrupted alike whatever the other images of its batch show."""
    pixels = images(32)
    others = pixels.copy()
    others[1:] = 255
    for name in sorted(set(CORRUPTIONS) - {"shot_noise"}):  # a Poisson draw takes more numbers where it is bright
        assert np.array_equal(corrupt(pixels, name, 3)[0], corrupt(others, name, 3)[0]), name


def test_subset_is_chosen_by_hash() -> None:
    """The same images are chosen in whatever order the release lists them; few are all taken."""
    digests = [f"{number:064x}" for number in range(900)]
    chosen = {digests[place] for place in subset(digests)}
    assert len(chosen) == 500
    assert chosen == {digests[::-1][place] for place in subset(digests[::-1])}
    assert subset(digests[:3]).tolist() == [0, 1, 2]


def test_right_tells_each_image_under_each_corruption(predictor: Predictor) -> None:
    """What is right under a corruption is what the predictor says of the corrupted pixels, by class name."""
    pixels = images(16, 20)
    labels = np.array(["cat", "dog"] * 10)
    found = right(predictor, pixels, labels)
    assert tuple(found) == GATE
    for name, answers in found.items():
        said = predictor.logits(corrupt(pixels, name, 3)).argmax(axis=1)
        assert answers.tolist() == (np.array(["cat", "dog"])[said] == labels).tolist()


def test_grid_has_every_cell(predictor: Predictor) -> None:
    """The full grid has 15 × 5 accuracies, and tells each."""
    told: list[str] = []
    found = grid(predictor, images(16, 2), np.array(["cat", "dog"]), told.append)
    assert [len(row) for row in found.values()] == [5] * 15
    assert len(told) == 75


def test_mean_corruption_error() -> None:
    """The error is averaged over severities, then over corruptions."""
    assert mean_corruption_error({"fog": [1.0, 0.8], "snow": [0.5, 0.5]}) == pytest.approx(0.3)
