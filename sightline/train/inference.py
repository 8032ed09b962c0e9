"""What a network answers for images that are ready for it."""

from __future__ import annotations

import math
from contextlib import nullcontext
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sightline.images.normalise import normalise
from sightline.models.device import best_device, has_bf16
from sightline.models.device import exact as exactly
from sightline.models.temperature import fit_temperature

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.data.loader import Images, Stored


def scored(model: nn.Module, images: Images) -> tuple[float, float, float]:
    """Mean cross-entropy and accuracy of `model` on `images`, and the cross-entropy at the temperature that fits best.

    All are nan where there are none.
    """
    return judged(predict(model, images.pixels), images.labels) if len(images) else (math.nan,) * 3


def judged(logits: Tensor, labels: Tensor) -> tuple[float, float, float]:
    """Of `logits` (N, classes) with N ≥ 1: as `scored`."""
    temperature = fit_temperature(logits.numpy(), labels.numpy())
    return *rated(logits, labels), rated(logits / temperature, labels)[0]


def rated(logits: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy and accuracy of `logits` (N, classes)."""
    return float(F.cross_entropy(logits, labels)), float((logits.argmax(1) == labels).float().mean())


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
