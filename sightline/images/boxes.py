"""Boxes as arrays (N, 4) of left, top, right and bottom edge, in pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Floats = np.ndarray[Any, np.dtype[np.float64]]


def areas(boxes: Floats) -> Floats:
    """Areas (…) of boxes (…, 4); 0 where an edge lies beyond the opposite one."""
    sides = (boxes[..., 2:] - boxes[..., :2]).clip(min=0)
    found: Floats = sides[..., 0] * sides[..., 1]
    return found


def iou(boxes: Floats, others: Floats, crowd: NDArray[np.bool_] | None = None) -> Floats:
    """Intersection over union (N, M) of each of `boxes` with each of `others`; 0 where both are empty.

    Over the area of the box alone where the other one is a `crowd` (M,), as COCO has it: any part of a crowd will do.
    """
    return paired_iou(boxes[:, None], others[None], crowd)


def paired_iou(boxes: Floats, others: Floats, crowd: NDArray[np.bool_] | None = None) -> Floats:
    """The same of each box (…, 4) with the other one at its place."""
    low, high = np.maximum(boxes[..., :2], others[..., :2]), np.minimum(boxes[..., 2:], others[..., 2:])
    sides = (high - low).clip(min=0)
    shared, mine = sides[..., 0] * sides[..., 1], areas(boxes)
    union = mine + areas(others) - shared
    if crowd is not None:
        union = np.where(crowd, mine, union)
    found: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return found
