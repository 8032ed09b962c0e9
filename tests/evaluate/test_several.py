"""Figures of several labels for each image, and the paired comparison of such figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, hamming_loss, precision_recall_fscore_support

from sightline.evaluate import several
from sightline.evaluate.confidence import Wanted
from sightline.evaluate.paired import paired
from sightline.heads import decisions
from sightline.heads.shares import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.evaluate.confidence import Confidence

CLASSES = ["ant", "bee", "cat"]
NO_SCALES = np.zeros(0)


def drawn(count: int, seed: int) -> tuple[NDArray[Any], NDArray[Any]]:
    rng = np.random.default_rng(seed)
    true = rng.normal(-0.5, 2, (count, 3))
    return (1.5 * true).astype(np.float32), (rng.random(true.shape) < decisions.sigmoid(true)).astype(np.uint8)


def answered(fitted: Confidence, logits: NDArray[Any]) -> NDArray[Any]:
    values: dict[str, Any] = fitted.decoding or {}
    probabilities = decisions.sigmoid((logits - np.array(values["shifts"])) / fitted.temperature)
    return probabilities >= np.array(values["thresholds"])


def test_figures_are_those_of_scikit_learn() -> None:
    """F1 of the classes, of all decisions and of the images, mAP, exact sets and Hamming loss."""
    fitted = several.fit(*drawn(300, 0), Wanted(accuracy=0.9), len(CLASSES))
    logits, labels = drawn(400, 1)
    found, said = several.measured(fitted, CLASSES, logits, labels, NO_SCALES), answered(fitted, logits)
    for number, name in enumerate(CLASSES):
        row = precision_recall_fscore_support(labels[:, number], said[:, number], average="binary")
        told = found["per_class"][name]
        assert [told[key] for key in ("precision", "recall", "f1")] == pytest.approx(list(row[:3]))
    for average in ("micro", "macro"):
        assert found["averages"][average]["f1"] == pytest.approx(f1_score(labels, said, average=average))
    assert found["accuracy"] == pytest.approx(f1_score(labels, said, average="samples", zero_division=1.0))
    assert found["map"] == pytest.approx(average_precision_score(labels, logits, average="macro"), abs=0.02)
    assert found["subset_accuracy"] == pytest.approx((said == labels).all(axis=1).mean())
    assert found["hamming_loss"] == pytest.approx(hamming_loss(labels, said))


def test_calibration_is_told_before_and_after() -> None:
    """Of all decisions; the fit takes away most of the error of logits that are half as large again."""
    fitted = several.fit(*drawn(2000, 0), Wanted(accuracy=0.9), len(CLASSES))
    found = several.measured(fitted, CLASSES, *drawn(2000, 1), NO_SCALES)
    assert found["ece_after"] < found["ece_null"] < found["ece_before"]
    assert sum(row["count"] for row in found["reliability"]) == 2000 * 3
    assert found["conformal"]["coverage"] == pytest.approx(0.9, abs=0.03)


def test_abstention_is_about_whole_sets() -> None:
    """Answers above the threshold have every label and no other as often as was wanted."""
    fitted = several.fit(*drawn(3000, 0), Wanted(accuracy=0.6), len(CLASSES))
    found = several.measured(fitted, CLASSES, *drawn(3000, 1), NO_SCALES)["abstention"]
    assert found["accuracy"] >= 0.58
    assert 0 < found["coverage"] < 1


def test_without_calibration_images_one_half_decides() -> None:
    """And nothing is promised."""
    logits, labels = drawn(50, 0)
    fitted = several.fit(logits[:0], labels[:0], Wanted(accuracy=0.9), len(CLASSES))
    assert (fitted.temperature, fitted.abstain_below) == (1.0, None)
    found = several.measured(fitted, CLASSES, logits, labels, NO_SCALES)
    assert found["conformal"] is None
    assert found["subset_accuracy"] == pytest.approx(((logits >= 0) == labels).all(axis=1).mean())


def test_class_that_the_model_does_not_know_is_missed() -> None:
    """Its F1 is 0, and it lowers the macro average; no figure fails for it."""
    fitted = several.fit(*drawn(300, 0), Wanted(accuracy=0.9), len(CLASSES))
    logits, labels = drawn(200, 1)
    wider = np.pad(logits, ((0, 0), (0, 1)), constant_values=-np.inf)
    more = np.pad(labels, ((0, 0), (0, 1)), constant_values=1)
    found = several.measured(fitted, [*CLASSES, "dog"], wider, more, NO_SCALES)
    known = several.measured(fitted, CLASSES, logits, labels, NO_SCALES)
    assert found["per_class"]["dog"]["f1"] == 0
    assert found["averages"]["macro"]["f1"] == pytest.approx(0.75 * known["averages"]["macro"]["f1"])


@pytest.mark.parametrize("wanted", [0.8, 0.95])
def test_wanted_precision_is_kept_by_each_class(wanted: float) -> None:
    """On new images about as on the calibration images, and no more is given away than that asks for."""
    fitted = several.fit(*drawn(4000, 0), Wanted(accuracy=0.9, precision=wanted), len(CLASSES))
    best = several.fit(*drawn(4000, 0), Wanted(accuracy=0.9), len(CLASSES))
    found = several.measured(fitted, CLASSES, *drawn(4000, 1), NO_SCALES)
    assert found["wanted_precision"] == wanted
    assert [row["precision"] for row in found["per_class"].values()] == pytest.approx([wanted] * 3, abs=0.05)
    assert found["accuracy"] < several.measured(best, CLASSES, *drawn(4000, 1), NO_SCALES)["accuracy"]
    assert (fitted.decoding or {})["operating"]["best"] == (best.decoding or {})["thresholds"]


def test_class_without_the_wanted_precision_is_never_answered() -> None:
    """Where a class cannot be told at all no threshold keeps a high precision."""
    logits, labels = drawn(2000, 0)
    labels[:, 1] = np.random.default_rng(2).random(2000) < 0.3
    logits[:20, 1], labels[:20, 1] = 50, 0
    fitted = several.fit(logits, labels, Wanted(accuracy=0.9, precision=0.9), len(CLASSES))
    found = several.measured(fitted, CLASSES, logits, labels, NO_SCALES)["per_class"]
    assert found["bee"]["recall"] == 0
    assert found["ant"]["precision"] >= 0.9


def test_right_answers_and_figures_of_zero_and_one_compare_alike() -> None:
    """The paired comparison of figures is that of right answers where they are such."""
    rng = np.random.default_rng(0)
    one, other, groups = rng.random(90) < 0.7, rng.random(90) < 0.6, np.arange(90) // 3
    exact, figures = paired(other, one, groups), paired(other.astype(float), one.astype(float), groups)
    for name in ("accuracy", "other", "difference", "disagreement", "inflation", "least", "images"):
        assert getattr(figures, name) == pytest.approx(getattr(exact, name)), name
    assert figures.better == pytest.approx(exact.better, abs=0.01)
    assert figures.seen == exact.seen.replace(" gained", ".0 gained").replace(" lost", ".0 lost")


def test_candidate_that_is_no_better_wins_as_seldom_as_was_asked() -> None:
    """Of 300 candidates whose figures differ by chance alone one in twenty has p ≤ .05."""
    rng = np.random.default_rng(0)
    won = 0
    for _ in range(300):
        base = rng.random(14)
        won += paired(base, np.clip(base + rng.choice([-0.2, 0.2], 14), 0, 1)).better <= 0.05
    assert won <= 27


def test_better_figures_are_shown() -> None:
    """Two points of F1 on each of many images are no accident."""
    rng = np.random.default_rng(0)
    base = rng.uniform(0.2, 0.9, 200)
    pair = paired(base, base + rng.normal(0.02, 0.05, 200))
    assert pair.better < 0.001
    assert pair.harm > 0.99
    assert pair.difference == pytest.approx(0.02, abs=0.01)


def test_interval_of_a_sum_of_figures_lies_between_whole_numbers() -> None:
    """The closed form goes on between the counts that SciPy takes."""
    low, middle, high = wilson(7, 20), wilson(7.5, 20), wilson(8, 20)
    assert low[0] < middle[0] < high[0]
    assert low[1] < middle[1] < high[1]
    assert wilson(7 + 1e-12, 20) == pytest.approx(low)
