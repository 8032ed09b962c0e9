"""What tasks have in common whose answers to an image are a row of class probabilities, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.heads.shares import widened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.heads.protocol import Floats, Numbers


class Rows:
    """Answers (N, classes), and figures of images that tell all there is to tell."""

    def none(self, classes: int) -> NDArray[np.float32]:
        """(0, classes)."""
        return np.empty((0, classes), dtype=np.float32)

    def off(self, answers: Floats, others: Floats) -> float:
        """The largest difference."""
        return float(np.abs(answers - others).max(initial=0))

    def evidence(self, outputs: Floats, classes: int) -> Floats:  # noqa: ARG002 — the logits tell
        """The logits."""
        return outputs

    def widened(self, answers: Floats, classes: int, value: float) -> Floats:
        """A column more for each."""
        return widened(answers, classes, value)

    def presence(self, labels: Numbers, classes: int) -> NDArray[Any]:  # noqa: ARG002 — whatever they are
        """They tell."""
        return np.asarray(labels)

    def gained(self, own: Floats, labels: Numbers, other: Floats, other_labels: Numbers, groups: Numbers) -> None:
        """Nothing: the figures show all."""
