"""What a network answers for images that are ready for it."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sightline.heads.known import of
from sightline.images.normalise import normalise
from sightline.models.device import best_device, has_bf16
from sightline.models.device import exact as exactly

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.data.loader import Images, Stored


def scored(model: nn.Module, images: Images) -> tuple[float, float, float]:
    """Mean loss and score of `model` on `images`, as their task has them, and the loss of calibrated answers.

    They are calibrated on the images themselves; all are nan where there are none.
    """
    return judged(predict(model, images.pixels), images) if len(images) else (math.nan,) * 3


def judged(logits: Tensor, images: Images) -> tuple[float, float, float]:
    """Of `logits` (N, classes) of the images, N ≥ 1: as `scored`."""
    head = of(images.task)
    return *head.rated(logits, images.labels), head.fitted_loss(logits, images.labels)


@torch.no_grad()
def predict(
    module: nn.Module,
    pixels: Tensor | Stored,
    batch: int = 256,
    *,
    exact: bool = False,
    prepared: Callable[[Tensor], Tensor] = normalise,
) -> Tensor:
    """Outputs of `module` in evaluation mode for uint8 (N, 3, H, W), float32 on the CPU.

    `exact` computes in true float32, as serving does; `prepared` makes of pixels what the network takes.
    """
    device = best_device()
    module.to(device).eval()
    half = torch.autocast(device.type, dtype=torch.bfloat16, enabled=has_bf16(device) and not exact)
    with exactly() if exact else nullcontext(), half:
        parts = [module(prepared(part.to(device))).float().cpu() for part in pixels.split(batch)]
    return torch.cat(parts)
