"""Boxes around objects, as training knows them: labels are those of `targets`, outputs and answers those of `fcos`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from sightline.errors import ConfigError
from sightline.heads import fcos
from sightline.heads.matching import match, precision
from sightline.heads.targets import CLASS

if TYPE_CHECKING:
    from torch import Tensor

DETECT = "detect"
HEAVIEST = 10.0
"""Largest weight of a class."""


class Detect:
    """Labels are targets (N, M, 6); outputs are raw answers in training, answers (N, 100, 6) else."""

    name = DETECT
    score = "mAP 50:95"
    is_located = True

    def loss(self, logits: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:  # noqa: ARG002 — the focal loss has its own
        """Classes, boxes and centredness."""
        return fcos.loss_of(logits, targets, weights)

    def counts(self, targets: Tensor, weights: Tensor | None) -> float | Tensor:  # noqa: ARG002 — they do not matter
        """Its objects, and each image as one more."""
        return fcos.counts(targets)

    def class_weights(self, labels: Tensor, classes: int) -> Tensor:
        """The inverse of a class's share of the objects, on average 1 for an object."""
        objects = _objects(labels, classes)
        there = int((objects > 0).sum())
        return (objects.sum() / (max(1, there) * objects.clamp(min=1))).clamp(1 / HEAVIEST, HEAVIEST).float()

    def chances(self, labels: Tensor, classes: int) -> Tensor:
        """By the rarest class that an image shows; one without objects as the commonest."""
        weights = self.class_weights(labels, classes).double()
        numbers = labels[..., CLASS].long()
        shown = torch.where(numbers >= 0, weights[numbers.clamp(min=0)], weights.min())
        return shown.amax(1) if labels.shape[1] else torch.ones(len(labels), dtype=torch.float64)

    def shares(self, labels: Tensor, classes: int) -> Tensor:  # noqa: ARG002 — whatever they are
        """There are none: boxes cannot be blended."""
        raise ConfigError("mixup and cutmix blend labels, which boxes cannot: set both to 0; zoom makes mosaics")

    def rated(self, logits: Tensor, labels: Tensor) -> tuple[float, float]:
        """What is missing of the mAP 50:95, and that."""
        found = match(list(logits.numpy()), list(labels.numpy()), max(1, int(labels[..., CLASS].max()) + 1))
        score = precision(found).mean
        return 1 - score, score

    def fitted_loss(self, logits: Tensor, labels: Tensor) -> float:
        """The same: a threshold is all that is fitted, and precision is read at every one."""
        return self.rated(logits, labels)[0]


def _objects(labels: Tensor, classes: int) -> Tensor:
    numbers = labels[..., CLASS].long().flatten()
    return torch.bincount(numbers[numbers >= 0], minlength=classes)
