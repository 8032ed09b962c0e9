"""One class for each image: what the calib images say of a network, and every figure about the test images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.evaluate import confidence, metrics
from sightline.heads.temperature import softmax

if TYPE_CHECKING:
    from sightline.evaluate.confidence import Confidence, Wanted
    from sightline.evaluate.metrics import FloatArray, IntArray


def fit(logits: FloatArray, labels: IntArray, wanted: Wanted, classes: int) -> Confidence:  # noqa: ARG001
    """As `confidence.fit`."""
    return confidence.fit(logits, labels, wanted.accuracy)


def measured(
    fitted: Confidence,
    classes: list[str],
    logits: FloatArray,
    labels: IntArray,
    scales: FloatArray,  # noqa: ARG001 — nothing has a size
) -> dict[str, Any]:
    """Every figure that follows from the logits (N, C) for the test images with these labels (N,); N ≥ 1."""
    return {
        "classes": classes,
        **metrics.classification(labels, softmax(logits, fitted.temperature), classes),
        **confidence.tell(fitted, logits, labels),
    }
