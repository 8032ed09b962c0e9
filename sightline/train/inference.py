"""What a network answers, and on which device and in which precision it computes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sightline.models.temperature import fit_temperature
from sightline.train.augment import normalise

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.data.loader import Images, Stored
    from sightline.recipe import Recipe


def score(model: nn.Module, images: Images) -> tuple[float, float]:
    """Mean cross-entropy and accuracy of `model` on `images`; (nan, nan) where there are none."""
    if not len(images):
        return math.nan, math.nan
    return rated(predict(model, images.pixels), images.labels)


def scored(model: nn.Module, images: Images) -> tuple[float, float, float]:
    """As `score`, and the cross-entropy at the temperature that fits the answers to `images` best."""
    if not len(images):
        return math.nan, math.nan, math.nan
    logits = predict(model, images.pixels)
    temperature = fit_temperature(logits.numpy(), images.labels.numpy())
    return *rated(logits, images.labels), rated(logits / temperature, images.labels)[0]


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

    `exact` computes in full precision, as serving does; `prepared` makes of pixels what the network takes.
    """
    device = best_device()
    module.to(device).eval()
    parts = []
    for part in pixels.split(batch):
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=has_bf16(device) and not exact):
            parts.append(module(prepared(part.to(device))).float().cpu())
    return torch.cat(parts)


def best_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is fast on `device`: native matrix products, not an emulation."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def precision(device: torch.device, recipe: Recipe) -> torch.dtype:
    """The type of the matrix products; float16 comes with scaled gradients."""
    named = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
    if recipe.precision in named:
        return named[recipe.precision]
    if has_bf16(device):
        return torch.bfloat16
    return torch.float16 if device.type == "cuda" else torch.float32
