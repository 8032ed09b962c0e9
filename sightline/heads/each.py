"""What tasks have in common that decide about each class by itself, whether an image shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.heads.shares import certainty

if TYPE_CHECKING:
    from sightline.heads.protocol import Floats


class Each:
    """Probabilities (N, classes), each that of a decision."""

    def confidence(self, probabilities: Floats) -> Floats:
        """Of the least sure decision, were each taken at one half."""
        return np.asarray(np.maximum(probabilities, 1 - probabilities).min(axis=1))

    def lead(self, probabilities: Floats) -> Floats:
        """Of the least sure decision over its contrary."""
        return np.asarray(2 * self.confidence(probabilities) - 1)

    def certainty(self, probabilities: Floats) -> Floats:
        """Of all decisions, added up."""
        return certainty(np.concatenate([probabilities, 1 - probabilities], axis=1))


def alike(answered: set[str], there: set[str]) -> float:
    """F1 of the classes that were answered; 1 where nothing was, and nothing is there."""
    total = len(answered) + len(there)
    return 2 * len(answered & there) / total if total else 1.0
