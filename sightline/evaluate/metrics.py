"""How right a classifier is on a test release, in plain numbers that go into JSON as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from sightline.heads.classify import log_losses

if TYPE_CHECKING:
    from collections.abc import Sequence

IntArray: TypeAlias = npt.NDArray[np.integer[Any]]
FloatArray: TypeAlias = npt.NDArray[np.floating[Any]]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
Figures: TypeAlias = BoolArray | FloatArray
"""Of each image (N,) whether it is answered rightly, or how well, 0 … 1."""

TOP = 5


def classification(labels: IntArray, probabilities: FloatArray, classes: list[str]) -> dict[str, Any]:
    """Classification report of N ≥ 1 images and C classes.

    labels: (N,) class indices; probabilities: (N, C), rows sum to 1; classes: C names.

    A class without images has support 0 and scores 0, and enters neither balanced accuracy nor the macro average. A
    ratio without a denominator is 0, as in scikit-learn with `zero_division=0`. Rows of the confusion matrix are true
    classes. The Brier score is the sum over classes (0 … 2, Brier 1950); log loss is in nats.
    """
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    indices = np.arange(len(classes))
    present = np.unique(labels)
    predicted = probabilities.argmax(axis=1)
    per_class = precision_recall_fscore_support(labels, predicted, labels=indices, zero_division=0)
    averages = {
        name: precision_recall_fscore_support(labels, predicted, labels=among, average=name, zero_division=0)
        for name, among in (("micro", indices), ("macro", present), ("weighted", present))
    }
    return {
        "accuracy": float(np.mean(predicted == labels)),
        "top5": _top_k(labels, probabilities, TOP) if len(classes) > TOP else None,
        "balanced_accuracy": float(per_class[1][present].mean()),
        "per_class": {name: _scores(row, row[3]) for name, *row in zip(classes, *per_class, strict=True)},
        "averages": {name: _scores(row, len(labels)) for name, row in averages.items()},
        "confusion": confusion_matrix(labels, predicted, labels=indices).tolist(),
        "log_loss": log_loss(labels, probabilities),
        "brier": brier(labels, probabilities),
    }


def log_loss(labels: IntArray, probabilities: FloatArray) -> float:
    """Mean of `log_losses`."""
    return float(log_losses(labels, probabilities).mean())


def brier(labels: IntArray, probabilities: FloatArray) -> float:
    """Mean squared distance of the probabilities from the truth, summed over classes: 0 … 2."""
    squares = np.square(probabilities, dtype=np.float64).sum(axis=1)
    return float(np.mean(squares - 2 * _of_truth(labels, probabilities) + 1))


def _scores(row: Sequence[Any], support: int) -> dict[str, float | int]:
    return {"precision": float(row[0]), "recall": float(row[1]), "f1": float(row[2]), "support": int(support)}


def _top_k(labels: IntArray, probabilities: FloatArray, k: int) -> float:
    """Share of images whose true class is among the k most probable; of equal ones the first comes first."""
    truth = _of_truth(labels, probabilities)[:, None]
    earlier = np.arange(probabilities.shape[1]) < labels[:, None]
    ahead = (probabilities > truth) | ((probabilities == truth) & earlier)
    return float(np.mean(ahead.sum(axis=1) < k))


def _of_truth(labels: IntArray, probabilities: FloatArray) -> npt.NDArray[np.float64]:
    return np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0].astype(np.float64)
