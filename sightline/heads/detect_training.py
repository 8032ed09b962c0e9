"""Boxes around objects in training: loss, weights, chances, scores. torch is imported where it computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.heads.boxed import LIKELY, f1, kept, log_losses, matched
from sightline.heads.matching import SCORE, precision
from sightline.heads.targets import CLASS

if TYPE_CHECKING:
    from torch import Tensor, nn

HEAVIEST = 10.0
"""Largest weight of a class."""


class Training:
    """What `detect.Detect` has for it."""

    def begin(self, network: nn.Module, labels: Tensor) -> None:
        """Nothing: a detector begins with next to no box, as most places have none."""

    def loss(self, logits: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:  # noqa: ARG002 — the focal loss has its own
        """Classes, boxes and centredness; or what a network with costs (C + 1,) says of each class and the rest."""
        from sightline.heads import fcos

        if logits.ndim == 1:
            return logits.sum() if weights is None else logits[:-1] @ weights + logits[-1]
        return fcos.loss_of(logits, targets, weights)

    def counts(self, targets: Tensor, weights: Tensor | None) -> float | Tensor:  # noqa: ARG002 — they do not matter
        """Its objects, and each image as one more.

        Where a network hands back costs, which are means of a part of a batch, that is by what the parts are weighed.
        """
        from sightline.heads import fcos

        return fcos.counts(targets)

    def class_weights(self, labels: Tensor, classes: int) -> Tensor:
        """The inverse of a class's share of the objects, on average 1 for an object."""
        import torch

        numbers = labels[..., CLASS].long().flatten()
        objects = torch.bincount(numbers[numbers >= 0], minlength=classes)
        there = int((objects > 0).sum())
        return (objects.sum() / (max(1, there) * objects.clamp(min=1))).clamp(1 / HEAVIEST, HEAVIEST).float()

    def chances(self, labels: Tensor, classes: int) -> Tensor:
        """By the rarest class that an image shows; one without objects as the commonest."""
        import torch

        weights = self.class_weights(labels, classes).double()
        numbers = labels[..., CLASS].long()
        shown = torch.where(numbers >= 0, weights[numbers.clamp(min=0)], weights.min())
        return shown.amax(1) if labels.shape[1] else torch.ones(len(labels), dtype=torch.float64)

    def shares(self, labels: Tensor, classes: int) -> Tensor:
        """1 where an image shows the class; boxes themselves cannot be blended."""
        import torch
        import torch.nn.functional as F  # noqa: N812

        numbers = labels[..., CLASS].long()
        each = F.one_hot(numbers.clamp(min=0), classes) * (numbers >= 0)[..., None]
        return each.amax(1).float() if labels.shape[1] else torch.zeros(len(labels), classes)

    def rated(self, logits: Tensor, labels: Tensor) -> tuple[float, float]:
        """What is missing of the mAP 50:95, and the mAP 50."""
        found = precision(matched(logits.numpy(), labels.numpy()))
        return 1 - found.mean, found.mean50

    def fitted_loss(self, logits: Tensor, labels: Tensor) -> float:
        """What is missing of the mAP 50:95: precision is read at every threshold."""
        return self.rated(logits, labels)[0]

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """As `log_losses`, of the scores as they are."""
        import torch

        return torch.from_numpy(log_losses(logits.numpy(), labels.numpy()))

    def hits(self, logits: Tensor, labels: Tensor) -> Tensor:
        """F1 of the boxes that are likelier right than not."""
        import torch

        answers = logits.numpy()
        return torch.from_numpy(f1(kept(answers, answers[..., SCORE] >= LIKELY), labels.numpy()))

    def strata(self, labels: Tensor) -> Tensor:
        """The class of most objects of an image; those without any are one more kind."""
        import torch

        numbers = labels[..., CLASS].long()
        classes = int(numbers.max()) + 1 if numbers.numel() else 0
        counts = torch.stack([(numbers == one).sum(1) for one in range(classes)], 1) if classes else None
        return (
            numbers.new_zeros(len(labels)) if counts is None else torch.where(counts.any(1), counts.argmax(1), classes)
        )
