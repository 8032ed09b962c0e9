"""How many boxes answers have, how sure and how large they are: watched beside the scores of the classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from sightline.heads.answer import Seen

MOST_CLASSES = 16
"""Classes whose boxes are counted each; of more all together."""


def amount_names(classes: Sequence[str]) -> tuple[str, ...]:
    """What the numbers are called."""
    each = [f"boxes of {name}" for name in classes] if len(classes) <= MOST_CLASSES else []
    return ("boxes", "mean score of boxes", "median side of boxes", "covered by boxes", *each)


def amounts(
    boxes: Sequence[Sequence[Seen]], sides: NDArray[np.integer[Any]], classes: Sequence[str]
) -> NDArray[np.float32]:
    """The numbers (N, B) of answers to images with these sides (N, 2) in pixels.

    Sides of boxes are the roots of their areas as shares of the image's. Where there is no box, all are 0.
    """
    each = classes if len(classes) <= MOST_CLASSES else ()
    found = np.zeros((len(boxes), 4 + len(each)), dtype=np.float32)
    for row, (some, (width, height)) in enumerate(zip(boxes, sides.tolist(), strict=True)):
        if some:
            areas = np.array([(box.x2 - box.x1) * (box.y2 - box.y1) for box in some]) / (width * height)
            scores = np.mean([box.probability for box in some])
            found[row, :4] = len(some), scores, np.median(np.sqrt(areas)), min(1.0, areas.sum())
            found[row, 4:] = [sum(box.label == name for box in some) for name in each]
    return found
