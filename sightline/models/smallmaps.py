"""Convolutions over maps of few pixels, the gradient of whose weights oneDNN computes slowly."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

LARGEST = 4
"""Side of the largest output map, pixels, for which the products below are faster than oneDNN: twice as fast for most
layers of ResNets, four times over 2×2 pixels; from 6 on no more."""


class SmallMapConv2d(nn.Conv2d):
    """A convolution that computes the gradient of its weights as one matrix product for each tap of the kernel.

    A tap meets only the pixels that lie inside of the map: over 2×2 pixels a 3×3 kernel has 16 meetings, where
    padding would make them 36. Elsewhere than in training on a CPU it is torch's own.
    """

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002 — torch's name
        if input.device.type != "cpu" or not (torch.is_grad_enabled() and weight.requires_grad):
            return F.conv2d(input, weight, bias, self.stride, self.padding)
        if torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            input, weight = input.to(dtype), weight.to(dtype)  # noqa: A001
        out: Tensor = _Convolution.apply(input, weight, self.stride, self.padding)  # type: ignore[no-untyped-call]
        return out if bias is None else out + bias.to(out.dtype).view(-1, 1, 1)


def fits(convolution: nn.Conv2d, inputs: Tensor) -> bool:
    """Whether its map is so small that `SmallMapConv2d` pays."""
    plain = convolution.groups == 1 and convolution.padding_mode == "zeros" and isinstance(convolution.padding, tuple)
    sides = [
        (side + 2 * padding - kernel) // stride + 1
        for side, padding, kernel, stride in zip(
            inputs.shape[-2:], convolution.padding, convolution.kernel_size, convolution.stride, strict=True
        )
        if isinstance(padding, int)
    ]
    return plain and set(convolution.dilation) == {1} and max(sides) <= LARGEST


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]) -> Tensor:
        ctx.save_for_backward(inputs, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(inputs, weight, None, stride, padding)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor, None, None]:
        inputs, weight = ctx.saved_tensors
        to_inputs = None
        if ctx.needs_input_grad[0]:
            mask = (True, False, False)
            to_inputs, _, _ = torch.ops.aten.convolution_backward(
                gradient, inputs, weight, None, ctx.stride, ctx.padding, (1, 1), False, (0, 0), 1, mask
            )
        return to_inputs, _to_weight(inputs, gradient, weight.shape, ctx.stride, ctx.padding), None, None


def _to_weight(
    inputs: Tensor, gradient: Tensor, shape: torch.Size, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """The gradient (outputs, inputs, height, width) of the weights, in the layout channels-last."""
    outputs, channels, *kernel = shape
    pixels, slopes = inputs.permute(0, 2, 3, 1), gradient.permute(0, 2, 3, 1)
    found = inputs.new_empty(outputs, *kernel, channels)
    for tap in ((row, column) for row in range(kernel[0]) for column in range(kernel[1])):
        sides = zip(tap, pixels.shape[1:3], slopes.shape[1:3], stride, padding, strict=True)
        here, there = zip(*(_meetings(*side) for side in sides), strict=True)
        met = pixels[:, there[0], there[1]].reshape(-1, channels)
        # A tap that only ever meets padding gets zeros: the product over no pixels.
        torch.mm(slopes[:, here[0], here[1]].reshape(-1, outputs).T, met, out=found[:, *tap])
    return found.permute(0, 3, 1, 2)


def _meetings(tap: int, side: int, out: int, stride: int, padding: int) -> tuple[slice, slice]:
    """The outputs that a tap serves along one axis, and the inputs that it meets for them."""
    first = max(0, -((tap - padding) // stride))
    last = min(out - 1, (side - 1 + padding - tap) // stride)
    count, start = max(0, last - first + 1), first * stride + tap - padding
    return slice(first, first + count), slice(start, start + count * stride, stride)
