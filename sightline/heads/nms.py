"""Non-maximum suppression in plain torch: what is left where the compiled operators of torchvision do not load."""

from __future__ import annotations

import torch
from torch import Tensor


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Greedy non-maximum suppression: boxes (N, 4) as x1 y1 x2 y2, scores (N,) → indices kept, best first."""
    order = scores.argsort(descending=True)
    return order[suppress(boxes[order], iou_threshold)]


def suppress(boxes: Tensor, iou_threshold: float, most: int | None = None) -> Tensor:
    """The same of boxes that come with the best first; `most`: the search ends with so many."""
    order = torch.arange(len(boxes), device=boxes.device)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    kept: list[Tensor] = []
    while len(order) and (most is None or len(kept) < most):
        best, rest = order[0], order[1:]
        kept.append(best)
        corner = torch.maximum(boxes[best, :2], boxes[rest, :2])
        opposite = torch.minimum(boxes[best, 2:], boxes[rest, 2:])
        overlap = (opposite - corner).clamp(min=0).prod(dim=1)
        # Of two without area the quotient is no number, and neither goes.
        order = rest[~(overlap / (area[best] + area[rest] - overlap) > iou_threshold)]
    return torch.stack(kept) if kept else order


def suppress_in_classes(boxes: Tensor, classes: Tensor, iou_threshold: float, most: int | None = None) -> Tensor:
    """The same, where a box suppresses those of its own class (N,) alone."""
    if not len(boxes):
        return boxes.new_zeros(0, dtype=torch.int64)
    # Far from one another, boxes of two classes never overlap.
    apart = classes.to(boxes)[:, None] * (boxes.max() - boxes.min() + 1)
    return suppress(boxes + apart, iou_threshold, most)
