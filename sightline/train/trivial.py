"""TrivialAugment (Müller & Hutter 2021) on whole batches: one random operation of random strength for each image.

Images that drew the same operation are changed together. The operations are theirs in the wide space, but equalising,
which needs a histogram per image; autocontrast stands for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

if TYPE_CHECKING:
    from sightline.train.draws import Draws

GREY = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in brightness (ITU-R BT.601)."""
STRONGEST = 0.99
"""Of brightness, colour, contrast, shear and sharpness: a factor of 0.01 … 1.99, as theirs."""
DEGREES = 135.0
SHIFT = 1 / 3
"""Of the side; theirs is 32 px, too far for small images."""


def change(pixels: Tensor, draws: Draws, operations: tuple[Operation, ...] | None = None) -> Tensor:
    """Each image of uint8 (N, 3, H, W) changed by one operation: float 0 … 255, channels last in memory.

    Of all OPERATIONS, if not said otherwise.
    """
    operations = operations or OPERATIONS
    images = pixels.float().contiguous(memory_format=torch.channels_last)
    choice = draws.whole(len(operations) + 1)
    strength = draws.shares() * 2 - 1
    for number, operation in enumerate(operations, start=1):
        rows = (choice == number).nonzero().squeeze(1)
        if len(rows):
            part = rows.to(images.device, non_blocking=True)
            strong = strength[rows].to(images.device, non_blocking=True).view(-1, 1, 1, 1)
            images[part] = operation(images[part], strong).clamp(0, 255)
    return images


def _grey(images: Tensor) -> Tensor:
    return (images * torch.tensor(GREY, device=images.device).view(1, 3, 1, 1)).sum(1, keepdim=True)


def _brightness(images: Tensor, strength: Tensor) -> Tensor:
    return images * (1 + STRONGEST * strength)


def _colour(images: Tensor, strength: Tensor) -> Tensor:
    return _grey(images).lerp(images, 1 + STRONGEST * strength)


def _contrast(images: Tensor, strength: Tensor) -> Tensor:
    mean = _grey(images).mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * (1 + STRONGEST * strength)


def _sharpness(images: Tensor, strength: Tensor) -> Tensor:
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    return blurred.lerp(images, 1 + STRONGEST * strength)


def _posterise(images: Tensor, strength: Tensor) -> Tensor:
    """Two to eight bits are left of each value."""
    step = 2 ** (6 * strength.abs()).round()
    return (images / step).floor() * step


def _solarise(images: Tensor, strength: Tensor) -> Tensor:
    return torch.where(images > 255 * (1 - strength.abs()), 255 - images, images)


def _autocontrast(images: Tensor, strength: Tensor) -> Tensor:  # noqa: ARG001 — has none
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    return torch.where(high > low, (images - low) * 255 / (high - low).clamp(min=1), images)


def _moved(images: Tensor, matrices: Tensor) -> Tensor:
    grid = F.affine_grid(matrices, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _matrix(strength: Tensor, cells: dict[tuple[int, int], Tensor]) -> Tensor:
    matrix = torch.eye(2, 3, device=strength.device).repeat(len(strength), 1, 1)
    for (row, column), values in cells.items():
        matrix[:, row, column] = values.flatten()
    return matrix


def _rotate(images: Tensor, strength: Tensor) -> Tensor:
    angle = math.radians(DEGREES) * strength
    cells = {(0, 0): angle.cos(), (0, 1): -angle.sin(), (1, 0): angle.sin(), (1, 1): angle.cos()}
    return _moved(images, _matrix(strength, cells))


def _shear_x(images: Tensor, strength: Tensor) -> Tensor:
    return _moved(images, _matrix(strength, {(0, 1): STRONGEST * strength}))


def _shear_y(images: Tensor, strength: Tensor) -> Tensor:
    return _moved(images, _matrix(strength, {(1, 0): STRONGEST * strength}))


def _shift_x(images: Tensor, strength: Tensor) -> Tensor:
    return _moved(images, _matrix(strength, {(0, 2): 2 * SHIFT * strength}))


def _shift_y(images: Tensor, strength: Tensor) -> Tensor:
    return _moved(images, _matrix(strength, {(1, 2): 2 * SHIFT * strength}))


Operation = Callable[[Tensor, Tensor], Tensor]
COLOURS: tuple[Operation, ...] = (
    _brightness,
    _colour,
    _contrast,
    _sharpness,
    _posterise,
    _solarise,
    _autocontrast,
)
"""What moves nothing."""
OPERATIONS: tuple[Operation, ...] = (*COLOURS, _rotate, _shear_x, _shear_y, _shift_x, _shift_y)
"""Beside them there is the chance to leave the image as it is."""
