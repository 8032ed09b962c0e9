from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from sightline.evaluate.metrics import brier, classification, log_loss
from sightline.heads.shares import wilson


def toy(images: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities of a classifier that is right more often than not."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, images)
    logits = rng.normal(size=(images, classes)) + 2 * np.eye(classes)[labels]
    exponentials = np.exp(logits)
    return labels, exponentials / exponentials.sum(axis=1, keepdims=True)


def names(classes: int) -> list[str]:
    """Distinct class names."""
    return [f"class {index}" for index in range(classes)]


def test_scores_agree_with_scikit_learn() -> None:
    """Every figure of the report is the one that scikit-learn computes."""
    labels, probabilities = toy(400, 7)
    predicted = probabilities.argmax(axis=1)
    report = classification(labels, probabilities, names(7))
    expected = reference.classification_report(labels, predicted, target_names=names(7), output_dict=True)
    for name in names(7):
        assert list(report["per_class"][name].values()) == pytest.approx(list(expected[name].values()))
    for name in ("macro", "weighted"):
        assert list(report["averages"][name].values()) == pytest.approx(list(expected[f"{name} avg"].values()))
    assert report["accuracy"] == pytest.approx(expected["accuracy"])
    assert report["averages"]["micro"]["f1"] == pytest.approx(expected["accuracy"])
    assert report["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(labels, predicted))
    assert report["top5"] == pytest.approx(reference.top_k_accuracy_score(labels, probabilities, k=5))
    assert report["log_loss"] == pytest.approx(reference.log_loss(labels, probabilities))
    assert report["brier"] == pytest.approx(reference.brier_score_loss(labels, probabilities))
    assert report["confusion"] == reference.confusion_matrix(labels, predicted).tolist()


def test_absent_class_leaves_the_averages_alone() -> None:
    """A class without images scores 0 with support 0; balanced accuracy and macro average go over the others."""
    labels = np.array([0, 0, 2, 2])
    probabilities = np.eye(4)[[0, 1, 2, 2]]
    report = classification(labels, probabilities, names(4))
    assert report["per_class"]["class 1"] == {"precision": 0, "recall": 0, "f1": 0, "support": 0}
    assert report["per_class"]["class 3"]["support"] == 0
    assert report["balanced_accuracy"] == 0.75
    assert report["averages"]["macro"] == {"precision": 1, "recall": 0.75, "f1": pytest.approx(5 / 6), "support": 4}
    assert report["averages"]["weighted"]["f1"] == pytest.approx(5 / 6)
    assert report["averages"]["micro"]["f1"] == 0.75
    assert report["confusion"] == [[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0]]


def test_rows_of_the_confusion_are_true_classes() -> None:
    """An image of class 0 that is taken for class 1 stands in row 0, column 1."""
    assert classification(np.array([0]), np.eye(2)[[1]], names(2))["confusion"] == [[0, 1], [0, 0]]


@pytest.mark.parametrize("classes", [2, 5, 6])
def test_report_survives_json(classes: int) -> None:
    """The report holds plain Python values alone, and no top-5 where everything would be in it."""
    report = classification(*toy(50, classes), names(classes))
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert (report["top5"] is None) == (classes <= 5)


def test_names_like_those_of_averages_are_kept_apart() -> None:
    """A class may be called as an average is."""
    report = classification(*toy(60, 3), ["micro", "accuracy", "macro avg"])
    assert list(report["per_class"]) == ["micro", "accuracy", "macro avg"]
    assert sum(row["support"] for row in report["per_class"].values()) == 60


def test_equal_probabilities_share_the_top_five_by_position() -> None:
    """An answer without opinion has the first five of six classes in its top five."""
    report = classification(np.arange(6), np.full((6, 6), 1 / 6), names(6))
    assert report["top5"] == pytest.approx(5 / 6)
    assert report["accuracy"] == pytest.approx(1 / 6)


def test_certain_and_wrong_costs_a_finite_loss() -> None:
    """Probability 0 for the truth costs 36 nats, not infinity, and the full Brier score."""
    labels, probabilities = np.array([0]), np.array([[0.0, 1.0]])
    assert log_loss(labels, probabilities) == pytest.approx(-math.log(2**-52))
    assert brier(labels, probabilities) == 2


def test_wilson_is_the_closed_form() -> None:
    """8 of 10 give the textbook interval."""
    z, n, share = 1.959963984540054, 10, 0.8
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    assert wilson(8, 10) == pytest.approx((centre - half, centre + half))


@given(st.integers(1, 2000), st.floats(0, 1))
def test_wilson_holds_the_share(n: int, share: float) -> None:
    """The interval lies in 0 … 1 and holds what was seen, also at none and all."""
    right = round(n * share)
    low, high = wilson(right, n)
    assert -1e-12 <= low <= right / n + 1e-12
    assert right / n - 1e-12 <= high <= 1 + 1e-12
