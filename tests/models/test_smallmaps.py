"""The weight gradient of convolutions over maps of few pixels."""

from __future__ import annotations

from itertools import product

import pytest
import torch
from torch import nn

from sightline.models import smallmaps
from sightline.models.smallmaps import SmallMapConv2d
from sightline.models.zoo import build

SHAPES = [
    (height, width, kernel, stride, padding)
    for height, width, kernel, stride, padding in product((1, 2, 4), (1, 3), (1, 2, 3, 5), (1, 2, 3), (0, 1, 2))
    if min(height, width) + 2 * padding >= kernel
]


@pytest.mark.parametrize("bias", [True, False])
def test_gradients_are_those_of_torch(bias: bool) -> None:  # noqa: FBT001 — a parameter
    """Over every small map, kernel, stride and padding, those whose taps meet nothing but padding among them."""
    torch.manual_seed(0)
    for height, width, kernel, stride, padding in SHAPES:
        layer = nn.Conv2d(4, 5, kernel, stride, padding, bias=bias, dtype=torch.double)
        images = torch.randn(3, 4, height, width, dtype=torch.double, requires_grad=True)
        wanted = layer(images)
        slopes = torch.randn_like(wanted)
        leaves = (images, *layer.parameters())
        right = torch.autograd.grad(wanted, leaves, slopes)
        layer.__class__ = SmallMapConv2d
        found = layer(images)
        assert torch.allclose(found, wanted)
        for mine, other in zip(torch.autograd.grad(found, leaves, slopes), right, strict=True):
            assert torch.allclose(mine, other), (height, width, kernel, stride, padding)


def test_deep_layers_over_small_images_take_it() -> None:
    """The last stages of ResNet-18 at 64 px, in bf16 too, and none where maps are large, grouped or dilated."""
    torch.manual_seed(0)
    small = build("resnet18", 3, 64)
    chosen = [name for name, part in small.named_modules() if isinstance(part, SmallMapConv2d)]
    assert {name.split(".")[1] for name in chosen} == {"layer3", "layer4"}
    assert not any(isinstance(part, SmallMapConv2d) for part in build("resnet18", 3, 224).modules())
    for options in ({"groups": 2}, {"dilation": 2, "padding": 2}, {"padding_mode": "reflect", "padding": 1}):
        assert not smallmaps.fits(nn.Conv2d(4, 4, 3, **options), torch.zeros(1, 4, 4, 4))
    with torch.autocast("cpu", torch.bfloat16):
        logits = small(torch.rand(4, 3, 64, 64))
    logits.float().sum().backward()
    assert small.get_parameter("backbone.layer4.1.conv2.weight").grad is not None
