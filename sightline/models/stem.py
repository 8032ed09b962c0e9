"""The first convolution of many networks, for GPUs, which have no fast one for images of three colours."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

KERNEL, STRIDE = 7, 2
"""Of the convolutions that this is for: those of ResNets, DenseNets and their kin."""
EIGHTS = 8
"""Tensor cores take channels in multiples of it."""


class StemConv2d(nn.Conv2d):
    """A convolution of stride 2 that is computed with stride 1 over blocks of 2×2 pixels, which become 12 channels.

    The kernel gets a row and a column of zeros in front, so that it begins with a block; sums are of the same products.
    Elsewhere than in training on a GPU, or where the sides are odd, it is torch's own, whose forward and backward pass
    take a thirteenth of ResNet-50's step there (docs/log.md).
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002 — torch's name
        learns = input.is_cuda and torch.is_grad_enabled() and weight.requires_grad
        if learns and not any(side % STRIDE for side in input.shape[-2:]):
            return in_blocks(input, weight, bias)
        return F.conv2d(input, weight, bias, self.stride, self.padding)


def fits(convolution: nn.Conv2d, inputs: Tensor) -> bool:
    """Whether it is such a first convolution."""
    return (
        inputs.shape[1] == 3  # noqa: PLR2004 — colours
        and convolution.kernel_size == (KERNEL, KERNEL)
        and convolution.stride == (STRIDE, STRIDE)
        and convolution.padding == (KERNEL // 2, KERNEL // 2)
        and convolution.dilation == (1, 1)
        and convolution.padding_mode == "zeros"
    )


def in_blocks(images: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Of images (N, 3, H, W) of even sides, (N, filters, H / 2, W / 2)."""
    before, after = KERNEL // 2 + 1, KERNEL // 2 - 1
    blocks = F.pixel_unshuffle(F.pad(images, (before, after, before, after)), STRIDE)
    kernel = F.pixel_unshuffle(F.pad(weight, (1, 0, 1, 0)), STRIDE)
    empty = (0, 0, 0, 0, 0, -blocks.shape[1] % EIGHTS)
    return F.conv2d(
        F.pad(blocks, empty).contiguous(memory_format=torch.channels_last),
        F.pad(kernel, empty).contiguous(memory_format=torch.channels_last),
        bias,
    )
