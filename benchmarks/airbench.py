"""A loop in the manner of cifar10-airbench, and its network: the peer of `gpu.py` on images of 32 px.

Both follow the description in Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU" (2024).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sightline.models.device import best_device, has_bf16

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.data.loader import Images

WIDTHS = (64, 256, 256)
WHITE = 24
"""Filters of the first layer: twelve patterns of 2×2 patches and their negatives."""


class SpeedNet(nn.Sequential):
    """The paper's network without its head: frozen 2×2 filters, three blocks of two convolutions, max pooling."""

    def __init__(self) -> None:
        white = nn.Conv2d(3, WHITE, 2)
        white.weight.requires_grad_(False)
        super().__init__(
            white,
            nn.GELU(),
            *_block(WHITE, WIDTHS[0]),
            *_block(WIDTHS[0], WIDTHS[1]),
            *_block(WIDTHS[1], WIDTHS[2]),
            nn.MaxPool2d(3),
            nn.Flatten(),
        )


def _block(inputs: int, outputs: int) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
        nn.MaxPool2d(2),
        nn.BatchNorm2d(outputs),
        nn.GELU(),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.GELU(),
    ]


def airbench(model: nn.Module, images: Images, batch: int) -> Callable[[], Tensor]:
    """An epoch of the other loop: everything on the card in half precision, flips and shifts once for all images."""
    device = best_device()
    half = torch.bfloat16 if has_bf16(device) else torch.float32
    model = model.to(device, half, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = torch.optim.SGD(trained, 0.001, momentum=0.85, nesterov=True, weight_decay=0.015)
    ready = (images.pixels[:].to(device).to(half) / 255).contiguous(memory_format=torch.channels_last)
    padded, labels = F.pad(ready, (2, 2, 2, 2), mode="reflect"), images.labels.to(device)
    number = 0

    def epoch() -> Tensor:
        nonlocal number
        # Every image is mirrored in every other epoch: which half begins is its own number's.
        mirrored = (torch.arange(len(padded), device=device) + number) % 2 == 0
        number += 1
        changed = shifted(torch.where(mirrored.view(-1, 1, 1, 1), padded.flip(3), padded), 32)
        loss = torch.zeros((), device=device)
        for rows in torch.randperm(len(labels), device=device).split(batch):
            if len(rows) < batch:
                break
            loss = F.cross_entropy(model(changed[rows]), labels[rows], label_smoothing=0.2, reduction="sum")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
        return loss.detach()

    return epoch


def shifted(padded: Tensor, side: int) -> Tensor:
    """A random window of each image; images of the same shift are copied together."""
    places = padded.shape[-1] - side + 1
    shifts = torch.randint(places, (len(padded), 2), device=padded.device)
    windows = torch.empty_like(padded[..., :side, :side])
    for top in range(places):
        for left in range(places):
            chosen = (shifts[:, 0] == top) & (shifts[:, 1] == left)
            windows[chosen] = padded[chosen, :, top : top + side, left : left + side]
    return windows
