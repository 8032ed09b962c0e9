"""How each task is measured: a module for each, with these two functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from sightline.evaluate import boxes, one, several
from sightline.heads.labels import CLASSIFY, DETECT, MULTILABEL

if TYPE_CHECKING:
    from sightline.evaluate.confidence import Confidence, Wanted
    from sightline.evaluate.metrics import FloatArray, IntArray


class Measures(Protocol):
    """What is fitted and measured where the task's own head knows no figures."""

    def fit(self, logits: FloatArray, labels: IntArray, wanted: Wanted, classes: int) -> Confidence:
        """What the calib images' logits (N, C) say, or of boxes their answers (N, 100, 6); N may be 0."""
        ...

    def measured(
        self, fitted: Confidence, classes: list[str], logits: FloatArray, labels: IntArray, scales: FloatArray
    ) -> dict[str, Any]:
        """Every figure about the same of the test images, for JSON; N ≥ 1.

        `scales`: pixels (N,) of the images for one of the square that the network takes.
        """
        ...


MEASURES: dict[str, Measures] = {CLASSIFY: one, MULTILABEL: several, DETECT: boxes}
"""By the name of the task. Listed by hand, so that code digests cover them."""
