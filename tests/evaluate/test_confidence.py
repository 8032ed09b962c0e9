"""What the calib images say of the answers, and the test images of that."""

from __future__ import annotations

import json

import numpy as np
import pytest

from sightline.evaluate import confidence


def answers(images: int, seed: int, sharpness: float = 3.0) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a classifier that is too sure by the factor `sharpness`, and labels drawn as it should have said."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(images, 4))
    odds = np.exp(logits)
    labels = [rng.choice(4, p=row) for row in odds / odds.sum(axis=1, keepdims=True)]
    return sharpness * logits, np.array(labels)


def test_figures_hold_what_was_fitted_on_other_images() -> None:
    """Temperature mends an overconfident model, the threshold and the sets do on new images what they promised."""
    fitted = confidence.fit(*answers(4000, 0), 0.9)
    told = confidence.tell(fitted, *answers(4000, 1))
    assert fitted.temperature == pytest.approx(3, rel=0.1)
    assert told["ece_after"] <= told["ece_null"] < told["ece_before"]
    assert told["abstention"]["accuracy"] == pytest.approx(0.9, abs=0.03)
    assert 0.1 < told["abstention"]["coverage"] < 0.9
    assert told["conformal"]["coverage"] == pytest.approx(0.9, abs=0.02)
    assert told["conformal"]["mean_size"] < 4
    assert json.loads(json.dumps(told)) == told


def test_curve_ends_with_all_images() -> None:
    """The risk-coverage curve is thinned, rises in coverage, and ends with the error over all images."""
    logits, labels = answers(1000, 2)
    curve = confidence.tell(confidence.fit(logits, labels, 0.9), logits, labels)["risk_coverage"]
    assert len(curve) == confidence.MOST_POINTS
    assert [row["coverage"] for row in curve] == sorted(row["coverage"] for row in curve)
    assert curve[-1]["coverage"] == 1
    assert curve[-1]["risk"] == pytest.approx(np.mean(logits.argmax(axis=1) != labels))


def test_without_calib_images_nothing_is_promised() -> None:
    """With no image to fit on the temperature is 1, and there are neither threshold nor sets."""
    fitted = confidence.fit(np.empty((0, 4)), np.empty(0, dtype=int), 0.9)
    assert (fitted.temperature, fitted.abstain_below, fitted.conformal) == (1.0, None, None)
    told = confidence.tell(fitted, *answers(50, 3))
    assert told["conformal"] is None
    nothing = dict.fromkeys(("threshold", "most_shown", "coverage", "accuracy"))
    assert told["abstention"] == {"wanted_accuracy": 0.9, **nothing}
