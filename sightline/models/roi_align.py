"""RoIAlign in plain torch, for where the compiled operators of torchvision do not load."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def roi_align(
    input: Tensor,  # noqa: A002 — torchvision's name
    boxes: Tensor,
    output_size: tuple[int, int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = 2,
) -> Tensor:
    """What maps (N, C, H, W) show in each box: (K, C, *output_size), as of He et al. (2017) and `torchvision.ops`.

    `boxes` (K, 5): the image's number and edges in pixels, which `spatial_scale` makes steps of the map. Each part of a
    box is the mean of `sampling_ratio`² places in it, each interpolated; an edge of the map goes on beyond it.
    """
    (rows, columns), (height, width) = output_size, input.shape[2:]
    low = boxes[:, 1:3] * spatial_scale
    sides = (boxes[:, 3:5] * spatial_scale - low).clamp(min=1.0)
    x = _places(low[:, 0], sides[:, 0], columns * sampling_ratio)
    y = _places(low[:, 1], sides[:, 1], rows * sampling_ratio)
    # From the middles of pixels, which torchvision counts from 0, to -1 … 1.
    x, y = (2 * one.clamp(0, last) / max(1, last) - 1 for one, last in ((x, width - 1), (y, height - 1)))
    grid = torch.stack([x[:, None, :].expand(-1, y.shape[1], -1), y[:, :, None].expand(-1, -1, x.shape[1])], dim=-1)
    found = input.new_zeros(len(boxes), input.shape[1], rows, columns)
    for number, one in enumerate(input):
        mine = (boxes[:, 0] == number).nonzero().squeeze(1)
        if len(mine):
            wide = grid[mine].flatten(0, 1)[None]
            seen = F.grid_sample(one[None], wide.to(one.dtype), padding_mode="border", align_corners=True)[0]
            means = F.avg_pool2d(seen, sampling_ratio).unflatten(1, (len(mine), rows)).transpose(0, 1)
            found[mine] = means
    return found


def _places(low: Tensor, sides: Tensor, count: int) -> Tensor:
    """The middles (K, count) of so many equal parts of each side."""
    steps = (torch.arange(count, dtype=low.dtype, device=low.device) + 0.5) / count
    return low[:, None] + steps * sides[:, None]
