"""Boxes of a batch as one tensor (N, M, 6): left, top, right, bottom, class and kind, for M boxes at most.

Edges are pixels of the square. A row of the class -1 is no box: it fills up images that have fewer. torch is imported
where it computes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

NOTHING = -1
"""Class of a row that is no box."""
OBJECT, DIFFICULT, CROWD = 0, 1, 2
"""Kinds: learned and counted; neither; the same, and any part of it may be answered."""
CLASS, KIND, WIDTH = 4, 5, 6
"""Columns of class and kind, and how many there are."""


def empty(images: int, boxes: int) -> Tensor:
    """Targets (images, boxes, 6) without any box."""
    import torch

    targets = torch.zeros(images, boxes, WIDTH)
    targets[..., CLASS] = NOTHING
    return targets


def packed(rows: Sequence[NDArray[np.floating[Any]]]) -> NDArray[np.float32]:
    """Targets (N, M, 6) of the boxes (k, 6) of each image."""
    targets = np.zeros((len(rows), max((len(one) for one in rows), default=0), WIDTH), dtype=np.float32)
    targets[..., CLASS] = NOTHING
    for number, one in enumerate(rows):
        targets[number, : len(one)] = one
    return targets


def trimmed(targets: Tensor) -> Tensor:
    """The boxes of each image first, and no more rows than the image with most of them needs."""
    import torch

    there = targets[..., CLASS] >= 0
    order = there.to(torch.uint8).argsort(dim=1, descending=True, stable=True)
    most = int(there.sum(1).max()) if targets.shape[1] else 0
    return targets.take_along_dim(order[..., None], dim=1)[:, :most]
