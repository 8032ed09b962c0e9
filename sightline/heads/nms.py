"""Non-maximum suppression in plain torch: what is left where the compiled operators of torchvision do not load."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

TOGETHER = 64
"""Boxes that are compared with all others at a time."""


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Greedy non-maximum suppression: boxes (N, 4) as x1 y1 x2 y2, scores (N,) → indices kept, best first."""
    order = scores.argsort(descending=True)
    return order[suppress(boxes[order], iou_threshold)]


def suppress(boxes: Tensor, iou_threshold: float, most: int | None = None) -> Tensor:
    """The same of boxes that come with the best first; `most`: the search ends with so many."""
    left, kept, found = torch.arange(len(boxes), device=boxes.device), [], 0
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    while len(left) and (most is None or found < most):
        first, rest = left[:TOGETHER], left[TOGETHER:]
        corner = torch.maximum(boxes[first, None, :2], boxes[left, :2])
        opposite = torch.minimum(boxes[first, None, 2:], boxes[left, 2:])
        overlap = (opposite - corner).clamp(min=0).prod(dim=2)
        # Of two without area the quotient is no number, and neither goes.
        over = overlap / (area[first, None] + area[left] - overlap) > iou_threshold
        among, stays = over[:, : len(first)].cpu().numpy(), np.ones(len(first), dtype=bool)
        for place in range(len(first)):
            if stays[place]:
                stays[place + 1 :] &= ~among[place, place + 1 :]
        mine = torch.from_numpy(stays).to(boxes.device)
        kept.append(first[mine])
        found += len(kept[-1])
        left = rest[~over[mine, len(first) :].any(0)]
    return torch.cat(kept)[:most] if kept else left


def suppress_in_classes(boxes: Tensor, classes: Tensor, iou_threshold: float, most: int | None = None) -> Tensor:
    """The same, where a box suppresses those of its own class (N,) alone."""
    if not len(boxes):
        return boxes.new_zeros(0, dtype=torch.int64)
    # Far from one another, boxes of two classes never overlap.
    apart = classes.to(boxes)[:, None] * (boxes.max() - boxes.min() + 1)
    return suppress(boxes + apart, iou_threshold, most)
