"""How each task is measured: a module for each, with these two functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sightline.evaluate import one, several
from sightline.heads.labels import CLASSIFY, MULTILABEL

if TYPE_CHECKING:
    from sightline.evaluate.confidence import Confidence
    from sightline.evaluate.metrics import FloatArray, IntArray


class Measures(Protocol):
    """What is fitted and measured where the task's own head knows no figures."""

    def fit(self, logits: FloatArray, labels: IntArray, wanted_accuracy: float) -> Confidence:
        """What the calib images' logits (N, C) say; N may be 0."""
        ...

    def measured(self, fitted: Confidence, classes: list[str], logits: FloatArray, labels: IntArray) -> dict[str, Any]:
        """Every figure about the test images' logits (N, C), for JSON; N ≥ 1."""
        ...


MEASURES: dict[str, Measures] = {CLASSIFY: one, MULTILABEL: several}
"""By the name of the task. Listed by hand, so that code digests cover them."""
