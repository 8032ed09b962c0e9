"""Random resized crops of a batch, of each image another window, brought to one side (Szegedy and others 2015).

Triangle filter with antialiasing, as Pillow's BILINEAR. On a GPU two matrix products resample the whole batch. On the
CPU torch's resampler for bytes is eight times faster than those, or than `grid_sample`, and takes one window a call.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from sightline.recipe import Recipe
    from sightline.train.draws import Draws

LONGEST = 4 / 3
"""Largest ratio of the sides of a window."""


def needed(recipe: Recipe, stored: int) -> int:
    """The side at which images must be read so that the smallest window still has the pixels of the result."""
    return min(stored, math.ceil((recipe.size or stored) / math.sqrt(recipe.zoom or 1)))


def zoom(pixels: Tensor, size: int, smallest: float, draws: Draws) -> Tensor:
    """Windows of uint8 (N, 3, S, S) as uint8 (N, 3, size, size), channels last in memory.

    A window has `smallest` … 1 of the area, uniformly, and a ratio of sides of 3/4 … 4/3, uniformly on the log scale;
    a side longer than the image is cut to it. `smallest` = 1 takes the whole image.
    """
    side = pixels.shape[2]
    if smallest == 1:
        boxes = torch.tensor([[0, 0, side, side]]).expand(len(pixels), 4)
    else:
        boxes = windows(side, smallest, draws)
    return together(pixels, boxes, size) if pixels.is_cuda else one_by_one(pixels, boxes, size)


def windows(side: int, smallest: float, draws: Draws) -> Tensor:
    """Top, left, height and width (N, 4) of random windows, whole pixels."""
    area = draws.uniform(smallest, 1)
    ratio = draws.uniform(-math.log(LONGEST), math.log(LONGEST)).exp()
    lengths = (torch.stack([area / ratio, area * ratio]).sqrt() * side).round().clamp(1, side)
    starts = (draws.shares(2) * (side - lengths + 1)).floor()
    return torch.cat([starts, lengths]).T.long()


def one_by_one(pixels: Tensor, boxes: Tensor, size: int) -> Tensor:
    """The windows `boxes` (N, 4) at the wanted size, one call each."""
    found = torch.empty(len(pixels), size, size, pixels.shape[1], dtype=torch.uint8).permute(0, 3, 1, 2)
    # What F.interpolate calls; that returns each image in another layout, and spends as long again around the call.
    resample = torch.ops.aten._upsample_bilinear2d_aa.out  # noqa: SLF001
    for number, (top, left, height, width) in enumerate(boxes.tolist()):
        window = pixels[number : number + 1, :, top : top + height, left : left + width]
        resample(window, (size, size), False, out=found[number : number + 1])
    return found


def together(pixels: Tensor, boxes: Tensor, size: int) -> Tensor:
    """The windows `boxes` (N, 4) at the wanted size, all at once: rows × image × columns."""
    dtype = torch.float16 if pixels.is_cuda else torch.float32
    top, left, height, width = boxes.to(pixels.device, torch.float32, non_blocking=True).T
    rows = _weights(top, height, size, pixels.shape[2]).to(dtype)[:, None]
    columns = _weights(left, width, size, pixels.shape[3]).to(dtype)[:, None]
    found = rows @ pixels.to(dtype).contiguous() @ columns.mT
    return found.round().clamp(0, 255).to(torch.uint8).contiguous(memory_format=torch.channels_last)


def _weights(start: Tensor, length: Tensor, size: int, side: int) -> Tensor:
    """Share (N, size, side) of each pixel of a line of `side` in each of the `size` of its window."""
    step = (length / size)[:, None, None]
    places = torch.arange(size, device=start.device)[:, None] + 0.5
    points = torch.arange(side, device=start.device) + 0.5
    first = start[:, None, None]
    near = (1 - (points - first - places * step).abs() / step.clamp(min=1)).clamp(min=0)
    inside = (points > first) & (points < first + length[:, None, None])
    shares = near * inside
    return shares / shares.sum(-1, keepdim=True)
