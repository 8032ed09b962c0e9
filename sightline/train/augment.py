"""Augmentation of whole batches: crop, mirror, warp and more for each image, without Python per image.

Crops and mirrors move bytes, so they come first, on uint8 with the colours innermost, as the shards lie in memory.
What was drawn goes to a GPU without waiting (`non_blocking`): a plain copy waits there for all that was asked before.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 — torch's own name for it
from torch import Tensor

from sightline.images.normalise import normalise
from sightline.train.trivial import change
from sightline.train.zoom import zoom

if TYPE_CHECKING:
    from sightline.recipe import Recipe
    from sightline.train.draws import Draws

ERASED = (0.02, 0.33)
"""Share of the image that random erasing takes (Zhong et al. 2020)."""
LONGEST = 10 / 3
"""Largest ratio of the sides of an erased rectangle."""


def augment(pixels: Tensor, recipe: Recipe, draws: Draws) -> Tensor:
    """Randomly changed copy of uint8 (N, 3, H, W), normalised.

    The copy is (N, 3, size, size) where the recipe sets `size`.
    """
    warps = bool(recipe.rotate or recipe.scale)
    size = recipe.size or pixels.shape[2]
    if recipe.zoom or size != pixels.shape[2]:
        pixels = zoom(pixels, size, recipe.zoom or 1.0, draws)
    crop = recipe.crop if not warps and not recipe.zoom else 0.0
    if pixels.is_cuda and (crop or recipe.flip):
        pixels = fetched(pixels, crop, recipe.flip, draws)
    else:
        pixels = _crop(pixels, crop, draws) if crop else pixels
        pixels = _mirror(pixels, draws) if recipe.flip else pixels
    images = normalise(change(pixels, draws) if recipe.trivial else pixels)
    if warps:
        images = _warp(images, recipe, draws)
    if recipe.erase:
        images = _erase(images, recipe.erase, draws)
    return images.contiguous(memory_format=torch.channels_last)


def fetched(pixels: Tensor, crop: float, flip: bool, draws: Draws) -> Tensor:  # noqa: FBT001 — a recipe's value
    """What `_crop` and `_mirror` give, each pixel fetched from its place: one copy instead of six on a GPU."""
    count, _, height, width = pixels.shape
    device = pixels.device
    rows, columns = (torch.arange(side, device=device).expand(count, side) for side in (height, width))
    if crop:
        pad = max(1, round(crop * height))
        top, left = draws.whole(2 * pad + 1, 2).to(device, non_blocking=True)[..., None] - pad
        rows, columns = _folded(rows + top, height), columns + left
    if flip:
        mirrored = (draws.shares() < 0.5).to(device, non_blocking=True)  # noqa: PLR2004
        columns = torch.where(mirrored[:, None], columns.flip(1), columns)
    images, number = pixels.permute(0, 2, 3, 1), torch.arange(count, device=device)
    found = images[number[:, None, None], rows[:, :, None], _folded(columns, width)[:, None]]
    return found.permute(0, 3, 1, 2)


def _folded(places: Tensor, side: int) -> Tensor:
    """Places along a side reflected at its first and last pixel."""
    return (side - 1) - ((side - 1) - places.abs()).abs()


def _crop(pixels: Tensor, share: float, draws: Draws) -> Tensor:
    """Reflect padding, then a window of the old size, at another place for each image."""
    count, colours, height, width = pixels.shape
    pad = max(1, round(share * height))
    padded = _reflect(_reflect(pixels.permute(0, 2, 3, 1), 1, pad), 2, pad)
    row, places = (width + 2 * pad) * colours, 2 * pad + 1
    shape = (count, places, places, height, width * colours)
    # Every window of every image as a view, of which one each is copied.
    windows = padded.as_strided(shape, ((height + 2 * pad) * row, row, colours, row, 1))
    top, left = draws.whole(places, 2)
    chosen = windows[torch.arange(count), top, left]
    return chosen.view(count, height, width, colours).permute(0, 3, 1, 2)


def _reflect(pixels: Tensor, axis: int, pad: int) -> Tensor:
    side = pixels.shape[axis]
    before, after = pixels.narrow(axis, 1, pad), pixels.narrow(axis, side - pad - 1, pad)
    return torch.cat([before.flip(axis), pixels, after.flip(axis)], axis)


def _mirror(pixels: Tensor, draws: Draws) -> Tensor:
    """Half of the images, left to right."""
    rows = (draws.shares() < 0.5).nonzero().squeeze(1)  # noqa: PLR2004
    images = pixels.permute(0, 2, 3, 1)
    # NumPy copies whole images; torch goes through them byte by byte.
    found, places = images.numpy().copy(), rows.numpy()
    found[places] = torch.from_numpy(found[places]).flip(2).numpy()
    return torch.from_numpy(found).permute(0, 3, 1, 2)


def _warp(images: Tensor, recipe: Recipe, draws: Draws) -> Tensor:
    """Rotation, change of size and shift of each image, in one resampling; outside is the edge repeated."""

    def draw(limit: float) -> Tensor:
        return (draws.shares() * 2 - 1) * limit

    angle = draw(math.radians(recipe.rotate))
    factor = 1 + draw(recipe.scale)
    matrix = torch.stack(
        [
            torch.stack([angle.cos() / factor, -angle.sin() / factor, draw(2 * recipe.crop)], dim=1),
            torch.stack([angle.sin() / factor, angle.cos() / factor, draw(2 * recipe.crop)], dim=1),
        ],
        dim=1,
    )
    grid = F.affine_grid(matrix.to(images.device, non_blocking=True), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _erase(images: Tensor, share: float, draws: Draws) -> Tensor:
    """A rectangle of the mean colour in `share` of the images."""
    height, width = images.shape[2:]
    hit = draws.shares() < share
    area = draws.uniform(*ERASED) * hit
    ratio = draws.uniform(-math.log(LONGEST), math.log(LONGEST)).exp()
    mask = rectangles((area * ratio).sqrt(), (area / ratio).sqrt(), height, width, draws, images.device)
    return images.masked_fill(mask, 0.0)


def rectangles(tall: Tensor, wide: Tensor, height: int, width: int, draws: Draws, device: torch.device) -> Tensor:
    """Masks (N, 1, H, W) on `device` of one rectangle each, at random places.

    `tall` and `wide` (N,) are shares of the sides.
    """
    sides = []
    for share, length in ((tall, height), (wide, width)):
        size = (share.clamp(max=1) * length).round()
        start = (draws.shares() * (length - size + 1)).floor()
        first, end = torch.stack([start, start + size])[..., None].to(device, non_blocking=True)
        at = torch.arange(length, device=device)
        sides.append((at >= first) & (at < end))
    down, across = sides
    masks: Tensor = down[:, None, :, None] & across[:, None, None, :]
    return masks
