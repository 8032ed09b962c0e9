"""RoIAlign in plain torch, for where the compiled operators of torchvision do not load."""

from __future__ import annotations

import torch
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
    box is the mean of `sampling_ratio`² places in it, each interpolated; an edge of the map goes on beyond it. Such a
    mean of means is a product of two matrices with the map, one for each axis.
    """
    (rows, columns), (channels, height, width) = output_size, input.shape[1:]
    low = boxes[:, 1:3] * spatial_scale
    sides = (boxes[:, 3:5] * spatial_scale - low).clamp(min=1.0)
    x = _weights(low[:, 0], sides[:, 0], columns, sampling_ratio, width)
    y = _weights(low[:, 1], sides[:, 1], rows, sampling_ratio, height)
    found = input.new_zeros(len(boxes), channels, rows, columns)
    for number, one in enumerate(input):
        mine = (boxes[:, 0] == number).nonzero().squeeze(1)
        down = y[mine].flatten(0, 1) @ one.transpose(0, 1).reshape(height, channels * width)
        across = down.view(len(mine), rows * channels, width) @ x[mine].mT
        found[mine] = across.view(len(mine), rows, channels, columns).transpose(1, 2)
    return found


def _weights(low: Tensor, sides: Tensor, parts: int, times: int, length: int) -> Tensor:
    """How much each pixel along an axis of a map counts in each part of a side: (K, parts, length)."""
    steps = (torch.arange(parts * times, dtype=low.dtype, device=low.device) + 0.5) / (parts * times)
    places = (low[:, None] + steps * sides[:, None]).clamp(0, length - 1)
    pixels = torch.arange(length, dtype=low.dtype, device=low.device)
    near = (1 - (places[..., None] - pixels).abs()).clamp(min=0)
    return near.view(len(low), parts, times, length).mean(2)
