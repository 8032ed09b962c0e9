"""What tasks have in common whose answers to an image are a row of class probabilities, and nothing else."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.heads.shares import widened

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from sightline.heads.answer import Fitted
    from sightline.heads.protocol import Floats, Numbers


EPSILON = float(np.finfo(np.float32).eps)


class Rows:
    """Answers (N, classes), and figures of images that tell all there is to tell."""

    is_searched_by_score = False
    unused: frozenset[str] = frozenset()
    graph = "probabilities"
    client: Mapping[str, Any] = MappingProxyType({})

    def none(self, classes: int) -> NDArray[np.float32]:
        """(0, classes)."""
        return np.empty((0, classes), dtype=np.float32)

    def off(self, answers: Floats, others: Floats) -> float:
        """The largest difference."""
        return float(np.abs(answers - others).max(initial=0))

    def settled(self, found: Floats) -> Floats:
        """As it is."""
        return found

    def rounding(self, own: Floats, right: Floats, fitted: Fitted) -> float:
        """As far as logits are, over the temperature: softmax and sigmoid move by half of that at most."""
        return max(float(np.abs(right).max()) * EPSILON, self.off(own, right)) / fitted.temperature

    def evidence(self, outputs: Floats, classes: int) -> Floats:  # noqa: ARG002 — the logits tell
        """The logits."""
        return outputs

    def graph_evidence(self, logits: Tensor, classes: int) -> Tensor:  # noqa: ARG002 — as above
        """The logits."""
        return logits

    def widened(self, answers: Floats, classes: int, value: float) -> Floats:
        """A column more for each."""
        return widened(answers, classes, value)

    def presence(self, labels: Numbers, classes: int) -> NDArray[Any]:  # noqa: ARG002 — whatever they are
        """They tell."""
        return np.asarray(labels)

    def gained(self, own: Floats, labels: Numbers, other: Floats, other_labels: Numbers, groups: Numbers) -> None:
        """Nothing: the figures show all."""
