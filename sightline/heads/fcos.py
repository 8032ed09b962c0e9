"""One answer at every location of a pyramid of maps (FCOS, Tian et al. 2019): assignment, loss and decoding.

A network's raw answers are (N, L, C + 8): for each of L locations the logits of C classes, the edges of a box in
pixels, the logit of its centredness, and where the location is: x, y and the stride of its map.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from sightline.heads.boxed import MOST, OVERLAP
from sightline.heads.nms import suppress_in_classes
from sightline.heads.targets import CLASS, KIND, NOTHING, OBJECT, WIDTH

STRIDES = (8, 16, 32, 64)
"""Pixels from one location to the next on each map."""
REST = 8
"""Columns of a raw answer beside the classes: four edges, centredness, and the location's x, y and stride."""
SMALLEST, LARGEST = 4, 8
"""A map answers for boxes whose farthest edge is so many strides away, the first and the last for all beyond too."""
RADIUS = 1.5
"""Strides from the middle of a box within which locations answer for it."""
ALPHA, GAMMA = 0.25, 2.0
"""Of the focal loss (Lin et al. 2017)."""
ANSWERING = 6.0
"""Locations that answer for an object on average: keeps the loss of an image about one."""
CANDIDATES, LEAST_SCORE = 1000, 0.02
"""Answers that suppression looks at, at most; those of a lower score are none."""


class Raw(NamedTuple):
    """The parts of raw answers."""

    logits: Tensor
    boxes: Tensor
    centredness: Tensor
    places: Tensor
    """x, y and stride (L, 3)."""


def parts(raw: Tensor) -> Raw:
    """The parts of raw answers (N, L, C + 8)."""
    classes = raw.shape[2] - REST
    logits, boxes, centredness, places = raw.split([classes, 4, 1, 3], dim=2)
    return Raw(logits, boxes, centredness[..., 0], places[0])


def places(size: int, device: torch.device) -> Tensor:
    """x, y and stride (L, 3) of all locations of an image of `size` pixels, map by map."""
    # What is made while a graph is traced holds no numbers, and must not be kept.
    return _places.__wrapped__(size, device) if torch.compiler.is_exporting() else _places(size, device)


@lru_cache(maxsize=16)
def _places(size: int, device: torch.device) -> Tensor:
    found = []
    for stride in STRIDES:
        steps = (torch.arange(-(-size // stride), device=device) + 0.5) * stride
        y, x = torch.meshgrid(steps, steps, indexing="ij")
        found.append(torch.stack([x, y, torch.full_like(x, stride)], dim=-1).view(-1, 3))
    return torch.cat(found)


def assign(where: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """For each location (L,) the number of the box (M, 4) that it answers for, or -1; and whether it is in any (L, M).

    Of several the smallest. A box that is smaller than a map's step counts as large as that.
    """
    x, y, stride = where.T[..., None]
    middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    away = torch.stack([x - middle[:, 0], y - middle[:, 1]], dim=-1).abs()
    inside = (away <= half.clamp(min=0)).all(-1)
    near = (away <= torch.minimum(torch.maximum(half, stride[..., None] / 2), RADIUS * stride[..., None])).all(-1)
    farthest = (away + half).amax(-1)
    low = torch.where(stride == STRIDES[0], 0.0, SMALLEST * stride)
    high = torch.where(stride == STRIDES[-1], torch.inf, LARGEST * stride)
    fits = near & (farthest > low) & (farthest <= high)
    area = (4 * half.prod(-1)).expand_as(fits).where(fits, torch.inf)
    smallest, number = area.min(dim=1) if len(boxes) else (where.new_full((len(where),), torch.inf), None)
    if number is None:
        return torch.full_like(where[:, 0], -1, dtype=torch.int64), inside
    return torch.where(smallest.isinf(), -1, number), inside


def loss_of(raw: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """Focal loss of the classes, GIoU loss of the boxes and binary cross-entropy of the centredness, over `counts`.

    `targets` (N, M, 6); `weights` (C,) of the classes. Locations in boxes that are not to be learned cost nothing.
    """
    logits, boxes, centredness, where = parts(raw)
    wanted = torch.zeros_like(logits)
    counted = torch.ones(logits.shape[:2], device=raw.device)
    total = logits.new_zeros(())
    for number, rows in enumerate(targets):
        there = rows[rows[:, CLASS] >= 0]
        objects, others = there[there[:, KIND] == OBJECT], there[there[:, KIND] != OBJECT]
        answers, _ = assign(where, objects[:, :CLASS])
        if len(others):
            counted[number] = (~assign(where, others[:, :CLASS])[1].any(1) | (answers >= 0)).to(counted)
        rows_of = (answers >= 0).nonzero().squeeze(1)
        mine = objects[answers[rows_of]]
        wanted[number, rows_of, mine[:, CLASS].long()] = 1.0
        centred = centredness_of(where[rows_of, :2], mine[:, :CLASS])
        total = total + (giou_loss(boxes[number, rows_of], mine[:, :CLASS]) * centred).sum() * 2
        total = total + F.binary_cross_entropy_with_logits(centredness[number, rows_of], centred, reduction="sum")
    each = focal_loss(logits, wanted)
    if weights is not None:
        each = each * torch.where(wanted > 0, weights.to(each), 1.0)
    total = total + (each * counted[..., None]).sum()
    return total / (ANSWERING * counts(targets))


def counts(targets: Tensor) -> Tensor:
    """What a batch counts in its mean loss: its objects, and each image as one more."""
    return ((targets[..., CLASS] >= 0) & (targets[..., KIND] == OBJECT)).sum() + float(len(targets))


def focal_loss(logits: Tensor, wanted: Tensor) -> Tensor:
    """Of each logit; what is answered well already costs little (Lin et al. 2017)."""
    chance = logits.sigmoid()
    cost = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    missed = chance * (1 - wanted) + (1 - chance) * wanted
    return (ALPHA * wanted + (1 - ALPHA) * (1 - wanted)) * cost * missed**GAMMA


def giou_loss(boxes: Tensor, wanted: Tensor) -> Tensor:
    """1 - generalised intersection over union of each box (N, 4) with its own (Rezatofighi et al. 2019)."""
    shared = _area(torch.maximum(boxes[:, :2], wanted[:, :2]), torch.minimum(boxes[:, 2:], wanted[:, 2:]))
    around = _area(torch.minimum(boxes[:, :2], wanted[:, :2]), torch.maximum(boxes[:, 2:], wanted[:, 2:]))
    union = _area(boxes[:, :2], boxes[:, 2:]) + _area(wanted[:, :2], wanted[:, 2:]) - shared
    tiny = torch.finfo(boxes.dtype).eps
    return 1 - shared / (union + tiny) + (around - union) / (around + tiny)


def _area(low: Tensor, high: Tensor) -> Tensor:
    return (high - low).clamp(min=0).prod(-1)


def centredness_of(places: Tensor, boxes: Tensor) -> Tensor:
    """1 in the middle of a box, 0 at its edge: root of the product of the ratios of opposite distances."""
    near = torch.minimum(places - boxes[:, :2], boxes[:, 2:] - places).clamp(min=0)
    far = torch.maximum(places - boxes[:, :2], boxes[:, 2:] - places).clamp(min=1e-6)
    return (near / far).prod(-1).sqrt()


def candidates(raw: Tensor, size: int) -> Tensor:
    """The likeliest boxes (N, K, 6) of raw answers: edges in pixels of the square, class and score, the best first.

    K is 1,000, or all there are. Rows that are none have the class -1 and the score 0.
    """
    logits, boxes, centredness, _ = parts(raw.float())
    scores = (logits.sigmoid() * centredness.sigmoid()[..., None]).sqrt()
    classes = scores.shape[2]
    best, order = scores.flatten(1).topk(min(CANDIDATES, scores.shape[1] * classes))
    places = order.div(classes, rounding_mode="floor")[..., None]
    edges = boxes.gather(1, places.expand(-1, -1, CLASS)).clamp(0, size)
    there = best > LEAST_SCORE
    label = torch.where(there, order % classes, NOTHING)
    return torch.cat([edges, label[..., None].to(edges), torch.where(there, best, 0.0)[..., None]], dim=2)


def suppressed(found: Tensor) -> Tensor:
    """Answers (N, 100, 6) of candidates (N, K, 6): those that no better one of their class overlaps too much.

    What comes first is better. Rows that are none as above.
    """
    answers = found.new_zeros(len(found), MOST, WIDTH)
    answers[..., CLASS] = NOTHING
    for number, rows in enumerate(found):
        there = rows[rows[:, CLASS] >= 0]
        kept = suppress_in_classes(there[:, :CLASS], there[:, CLASS], OVERLAP, MOST)
        answers[number, : len(kept)] = there[kept]
    return answers
