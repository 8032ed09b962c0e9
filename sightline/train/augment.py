"""Augmentation of whole batches: one random crop, mirror and warp per image, without Python per image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 — torch's own name for it
from torch import Tensor

if TYPE_CHECKING:
    from sightline.train.recipe import Recipe

# The mean and spread of ImageNet's pixels, which every torchvision weight expects.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def normalise(pixels: Tensor) -> Tensor:
    """uint8 (N, 3, H, W) → float, zero mean and unit spread, channels last in memory."""
    mean = torch.tensor(MEAN, device=pixels.device).view(1, 3, 1, 1) * 255
    std = torch.tensor(STD, device=pixels.device).view(1, 3, 1, 1) * 255
    return ((pixels.float() - mean) / std).contiguous(memory_format=torch.channels_last)


def augment(pixels: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Randomly changed copy of uint8 (N, 3, H, W), normalised; `generator` decides everything."""
    images = normalise(pixels)
    if recipe.rotate or recipe.scale:
        images = _warp(images, recipe, generator)
    elif recipe.crop:
        images = _crop(images, recipe.crop, generator)
    if recipe.flip:
        mirrored = torch.rand(len(images), generator=generator) < 0.5  # noqa: PLR2004
        images[mirrored] = images[mirrored].flip(3)
    return images.contiguous(memory_format=torch.channels_last)


def _crop(images: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Reflect padding, then a window of the old size; one offset per group of images keeps it a plain slice."""
    pad = max(1, round(share * images.shape[2]))
    height, width = images.shape[2:]
    padded = F.pad(images, (pad, pad, pad, pad), mode="reflect")
    parts = []
    for part in padded.split(max(1, len(padded) // 8)):
        top, left = torch.randint(0, 2 * pad + 1, (2,), generator=generator).tolist()
        parts.append(part[:, :, top : top + height, left : left + width])
    return torch.cat(parts)


def _warp(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Rotation, change of size and shift of each image, in one resampling; outside is the edge repeated."""
    count = len(images)

    def draw(limit: float) -> Tensor:
        return (torch.rand(count, generator=generator) * 2 - 1) * limit

    angle = draw(math.radians(recipe.rotate))
    factor = 1 + draw(recipe.scale)
    matrix = torch.stack(
        [
            torch.stack([angle.cos() / factor, -angle.sin() / factor, draw(2 * recipe.crop)], dim=1),
            torch.stack([angle.sin() / factor, angle.cos() / factor, draw(2 * recipe.crop)], dim=1),
        ],
        dim=1,
    )
    grid = F.affine_grid(matrix.to(images.device), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
