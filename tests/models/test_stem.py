"""First convolutions that a GPU computes in blocks."""

from __future__ import annotations

import torch
from torch import nn

from sightline.models import stem
from sightline.models.zoo import build


def test_blocks_give_what_torch_gives() -> None:
    """Answers, and gradients of images, kernel and bias, are those of the plain convolution."""
    torch.manual_seed(0)
    for height, width in ((8, 8), (32, 12), (2, 30)):
        layer = nn.Conv2d(3, 5, 7, 2, 3, dtype=torch.double)
        images = torch.randn(3, 3, height, width, dtype=torch.double, requires_grad=True)
        wanted = layer(images)
        slopes = torch.randn_like(wanted)
        leaves = (images, *layer.parameters())
        right = torch.autograd.grad(wanted, leaves, slopes)
        found = stem.in_blocks(images, layer.weight, layer.bias)
        assert torch.allclose(found, wanted)
        for mine, other in zip(torch.autograd.grad(found, leaves, slopes), right, strict=True):
            assert torch.allclose(mine, other)


def test_only_such_convolutions_take_it() -> None:
    """A ResNet's first one does, those behind it do not, and on the CPU it stays torch's own to the bit."""
    network = build("resnet18", 2, 64)
    taken = [name for name, part in network.named_modules() if isinstance(part, stem.StemConv2d)]
    assert taken == ["backbone.conv1"]
    layer, images = network.get_submodule("backbone.conv1"), torch.randn(2, 3, 64, 64)
    assert isinstance(layer, stem.StemConv2d)
    assert torch.equal(layer(images), nn.functional.conv2d(images, layer.weight, None, 2, 3))
