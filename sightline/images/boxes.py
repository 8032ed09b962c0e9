"""Boxes as arrays (N, 4) of left, top, right and bottom edge, in pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Floats = np.ndarray[Any, np.dtype[np.float64]]


def areas(boxes: Floats) -> Floats:
    """Areas (N,); 0 where an edge lies beyond the opposite one."""
    sides = (boxes[:, 2:] - boxes[:, :2]).clip(min=0)
    found: Floats = sides[:, 0] * sides[:, 1]
    return found


def iou(boxes: Floats, others: Floats, crowd: NDArray[np.bool_] | None = None) -> Floats:
    """Intersection over union (N, M) of each of `boxes` with each of `others`; 0 where both are empty.

    Over the area of the box alone where the other one is a `crowd` (M,), as COCO has it: any part of a crowd will do.
    """
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    shared = (high - low).clip(min=0).prod(axis=2)
    mine = areas(boxes)[:, None]
    union = mine + areas(others)[None] - shared
    if crowd is not None:
        union = np.where(crowd[None], mine, union)
    found: Floats = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return found
