"""Precision, recall and F1 of what was counted: labels of images, or boxes."""

from __future__ import annotations

import numpy as np


def rates(right: int, answered: int, there: int) -> dict[str, float | int]:
    """Of a class, or of all that was counted: `right` among what was `answered` and what is `there`."""
    return {
        "precision": right / answered if answered else 0.0,
        "recall": right / there if there else 0.0,
        "f1": 2 * right / (answered + there) if answered + there else 0.0,
        "support": there,
    }


def averaged(rows: list[dict[str, float | int]], support: int) -> dict[str, float | int]:
    """The mean of the `rates` of classes, each counting alike."""
    keys = ("precision", "recall", "f1")
    return {key: float(np.mean([row[key] for row in rows])) if rows else 0.0 for key in keys} | {"support": support}
