"""Augmentation of whole batches whose boxes follow: mosaic, zoom, crop, mirror and colour.

Each image, alone or with three others as a mosaic (Bochkovskiy et al. 2020), lies on a canvas of twice the side, and a
window of that is brought back to the side: one resampling, whatever is done.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sightline.errors import ConfigError
from sightline.heads.targets import CLASS, DIFFICULT, KIND, NOTHING, trimmed
from sightline.images.normalise import normalise
from sightline.images.placement import GROUND
from sightline.train.trivial import COLOURS, change
from sightline.train.zoom import one_by_one, together

if TYPE_CHECKING:
    from sightline.recipe import Recipe
    from sightline.train.draws import Draws

MOSAIC = 0.5
"""Share of the images that become mosaics, where the recipe zooms."""
SEEN = 0.3
"""Share of a box that must be left of it: with less it is neither learned nor taken for background."""
LEAST = 2.0
"""Pixels of a side below which nothing is left to be seen."""
LONGEST = 1.25
"""Largest ratio by which a window is longer one way than the other."""


def augment_located(pixels: Tensor, targets: Tensor, recipe: Recipe, draws: Draws) -> tuple[Tensor, Tensor]:
    """Randomly changed copy of uint8 (N, 3, S, S), normalised, and its targets.

    Of the recipe count `zoom` (area of the smallest window; the largest is as much larger than the image), `flip`,
    and `trivial`, of which only what moves nothing. `draws` are for all images of the batch, which are all here.
    """
    if recipe.mixes:
        raise ConfigError("mixup and cutmix blend labels, which boxes cannot: set both to 0; zoom makes mosaics")
    size = pixels.shape[2]
    if recipe.zoom:
        mosaics = draws.shares() < MOSAIC
        canvas, targets = _canvas(pixels, targets, mosaics)
        windows = _windows(size, math.sqrt(recipe.zoom), mosaics, draws)
        resample = together if canvas.is_cuda else one_by_one
        pixels, targets = resample(canvas, windows, size), follow(targets, windows, size)
    if recipe.flip:
        pixels, targets = _mirror(pixels, targets, draws.shares() < 0.5)  # noqa: PLR2004
    images = normalise(change(pixels, draws, COLOURS) if recipe.trivial else pixels)
    return images.contiguous(memory_format=torch.channels_last), trimmed(targets)


def _canvas(pixels: Tensor, targets: Tensor, mosaics: Tensor) -> tuple[Tensor, Tensor]:
    """Each image (N, 3, 2 S, 2 S): in the middle of the ground, or with the next three of the batch where `mosaics`."""
    count, _, size, _ = pixels.shape
    ground = torch.tensor(GROUND, dtype=torch.uint8, device=pixels.device).view(1, 3, 1, 1)
    canvas = ground.expand(count, 3, 2 * size, 2 * size).contiguous(memory_format=torch.channels_last)
    rows = mosaics.nonzero().squeeze(1).to(pixels.device)
    alone = (~mosaics).nonzero().squeeze(1).to(pixels.device)
    half = size // 2
    canvas[alone, :, half : half + size, half : half + size] = pixels[alone]
    found = torch.cat([targets] * 4, dim=1)
    found[:, targets.shape[1] :, CLASS] = NOTHING
    found[alone, :, :CLASS] += half
    for place in range(4):
        others = (rows + place) % count
        top, left = (size * step for step in divmod(place, 2))
        canvas[rows, :, top : top + size, left : left + size] = pixels[others]
        part = slice(place * targets.shape[1], (place + 1) * targets.shape[1])
        moved = targets[others].clone()
        moved[..., :CLASS] += torch.tensor([left, top, left, top], device=targets.device)
        found[rows, part] = moved
    return canvas, found


def _windows(size: int, smallest: float, mosaics: Tensor, draws: Draws) -> Tensor:
    """Top, left, height and width (N, 4) of windows of the canvas, whole pixels.

    The side is from `smallest` of the image to as much more than it, on the log scale; in a mosaic it is that of all
    four at most. A window that is smaller than the image lies in it, a larger one around it.
    """
    reach = -math.log(smallest)
    side = (draws.uniform(-1, 1) * reach).exp()
    side = torch.where(mosaics, 2 * (draws.uniform(-1, 0) * min(reach, math.log(2))).exp(), side)
    ratio = draws.uniform(-math.log(LONGEST) / 2, math.log(LONGEST) / 2).exp()
    lengths = (torch.stack([side / ratio, side * ratio]) * size).round().clamp(1, 2 * size)
    first = torch.where(mosaics, 0, size // 2)
    room = torch.where(mosaics, 2 * size, size) - lengths
    starts = (first + (draws.shares(2) * room).round()).clamp(min=0)
    starts = torch.minimum(starts, 2 * size - lengths)
    return torch.cat([starts, lengths]).T.long()


def follow(targets: Tensor, windows: Tensor, size: int) -> Tensor:
    """Targets as they are seen through the windows (N, 4) of top, left, height and width, at the wanted size.

    Of what is cut off too far the rest is not learned; what is gone is no box any more.
    """
    top, left, height, width = windows.to(targets).T[..., None]
    x1, y1, x2, y2, *_ = targets.unbind(-1)
    across, down = size / width, size / height
    moved = torch.stack([(x1 - left) * across, (y1 - top) * down, (x2 - left) * across, (y2 - top) * down], dim=-1)
    found = targets.clone()
    found[..., :CLASS] = inside = moved.clamp(0, size)
    sides = inside[..., 2:] - inside[..., :2]
    share = sides.prod(-1) / (moved[..., 2:] - moved[..., :2]).prod(-1).clamp(min=1e-6)
    found[..., CLASS] = torch.where(sides.amin(-1) < LEAST, float(NOTHING), targets[..., CLASS])
    found[..., KIND] = torch.where(share < SEEN, targets[..., KIND].clamp(min=DIFFICULT), targets[..., KIND])
    return found


def _mirror(pixels: Tensor, targets: Tensor, chosen: Tensor) -> tuple[Tensor, Tensor]:
    """The chosen images (N,), left to right."""
    rows = chosen.nonzero().squeeze(1).to(pixels.device)
    size = pixels.shape[3]
    pixels = pixels.index_copy(0, rows, pixels[rows].flip(3))
    turned = targets[rows].clone()
    turned[..., 0], turned[..., 2] = size - targets[rows][..., 2], size - targets[rows][..., 0]
    return pixels, targets.index_copy(0, rows, turned)
