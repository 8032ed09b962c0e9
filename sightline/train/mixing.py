"""Mixup and CutMix: each image of a batch together with its neighbour, and the targets that follow from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from sightline.train.augment import rectangles
from sightline.train.draws import Draws

if TYPE_CHECKING:
    from sightline.recipe import Recipe


def mix(images: Tensor, targets: Tensor, recipe: Recipe, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Images (N, 3, H, W) blended or pasted, each with the next of the batch, and so their targets (N, classes).

    Mixup as in Zhang et al. 2018, CutMix as in Yun et al. 2019. A share is drawn for each image.
    """
    pastes = recipe.cutmix > 0 and (recipe.mixup == 0 or bool(torch.rand((), generator=generator) < 0.5))  # noqa: PLR2004
    kept = _beta(recipe.cutmix if pastes else recipe.mixup, len(images), generator)
    others = images.roll(1, 0)
    if pastes:
        side = (1 - kept).sqrt()
        draws = Draws(generator, len(images))
        mask = rectangles(side, side, images.shape[2], images.shape[3], draws, images.device)
        kept = 1 - mask.float().mean((1, 2, 3))
        mixed = torch.where(mask, others, images)
    else:
        kept = kept.to(images.device, non_blocking=True)
        mixed = others.lerp(images, kept.view(-1, 1, 1, 1))
    targets = targets.roll(1, 0).lerp(targets, kept.view(-1, 1))
    return mixed.contiguous(memory_format=torch.channels_last), targets


def _beta(alpha: float, count: int, generator: torch.Generator) -> Tensor:
    # torch draws no Beta from a generator of its own.
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, count)).float()
