"""Parameter groups and the moving average."""

from __future__ import annotations

import copy
from typing import Literal

import pytest
import torch
from torch import nn

from sightline.models.operators import ensure
from sightline.models.zoo import build as network
from sightline.recipe import Recipe
from sightline.train import optim


def test_layers_near_the_input_learn_slower() -> None:
    """Rates grow from the first layer's share to the head's full rate, and biases do not decay."""
    model = network("cnn", 2, 16)
    optimiser = optim.build(model, Recipe(epochs=1, first_layer_rate=0.1, learning_rate=2.0))
    optim.set_rate(optimiser, Recipe(epochs=1, learning_rate=2.0), 0.5, 1.0)
    rate = {id(one): group["lr"] for group in optimiser.param_groups for one in group["params"]}
    first, head = next(model.backbone.parameters()), model.head.weight
    assert rate[id(first)] < 0.11
    assert rate[id(head)] == 1.0
    rates = [rate[id(one)] for one in model.parameters()]
    assert rates == sorted(rates)
    assert all(group["weight_decay"] == 0 for group in optimiser.param_groups if group["params"][0].ndim == 1)


def test_every_parameter_is_in_one_group() -> None:
    """A transformer's free parameters are found as well."""
    model = network("vit_b_16", 2, 32)
    optimiser = optim.build(model, Recipe(epochs=1, first_layer_rate=0.5, optimiser="adamw"))
    grouped = [id(one) for group in optimiser.param_groups for one in group["params"]]
    assert sorted(grouped) == sorted(id(one) for one in model.parameters())


FAMILIES = (
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3"),
    *("maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_y_400mf", "resnet18", "resnext50_32x4d"),
    *("shufflenet_v2_x0_5", "squeezenet1_1", "swin_t", "swin_v2_t", "vgg11_bn", "vit_b_32", "wide_resnet50_2"),
)
KERNELS = {
    ("Conv2d", "weight"),
    ("Linear", "weight"),
    ("MultiheadAttention", "in_proj_weight"),
    ("NonDynamicallyQuantizableLinear", "weight"),
}
"""What decays, in all of torchvision."""
OTHERS = {
    ("CNBlock", "layer_scale"),
    ("Encoder", "pos_embedding"),
    ("RelativePositionalMultiHeadAttention", "relative_position_bias_table"),
    ("ShiftedWindowAttention", "relative_position_bias_table"),
    ("ShiftedWindowAttentionV2", "logit_scale"),
    ("VisionTransformer", "class_token"),
}
"""What has several axes and yet does not."""


def test_kernels_and_matrices_alone_decay() -> None:
    """Over every family of torchvision: neither biases, norms, scales, tokens nor tables of positions do."""
    ensure()
    from torchvision import models

    decaying: set[tuple[str, str, int]] = set()
    kept: set[tuple[str, str, int]] = set()
    for name in FAMILIES:
        options = {"init_weights": False} if name in {"googlenet", "inception_v3"} else {}
        # Nothing is computed; but RegNet reads its widths from tensors.
        with torch.device("cpu" if name.startswith("regnet") else "meta"):
            model = models.get_model(name, weights=None, **options)
        for layer in model.modules():
            for own, parameter in layer.named_parameters(recurse=False):
                (decaying if optim.decays(own, parameter) else kept).add((type(layer).__name__, own, parameter.ndim))
    assert {(layer, own) for layer, own, _ in decaying} == KERNELS
    assert {(layer, own) for layer, own, axes in kept if axes > 1} == OTHERS


def test_tokens_and_positions_are_not_drawn_to_zero() -> None:
    """A step without gradient shrinks a transformer's matrices and leaves its token and its positions."""
    model = network("vit_b_32", 2, 32)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    optimiser = optim.build(model, Recipe(epochs=1, optimiser="adamw", learning_rate=0.5, weight_decay=0.5))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimiser.step()
    changed = {name for name, value in model.named_parameters() if not torch.equal(value, before[name])}
    assert "backbone.encoder.layers.encoder_layer_0.self_attention.in_proj_weight" in changed
    assert "head.weight" in changed
    assert not changed & {"backbone.class_token", "backbone.encoder.pos_embedding"}


def test_average_forgets_its_beginning() -> None:
    """The average begins as the first weights and comes near to what the weights stay at."""
    layer = nn.Linear(1, 1)
    average = optim.moving_average(layer, 0.9)
    for value in (0.0, *[1.0] * 60):
        with torch.no_grad():
            layer.weight.fill_(value)
        average.update_parameters(layer)
        if value == 0.0:
            assert float(average.module.get_parameter("weight")) == 0.0
    assert 0.98 < float(average.module.get_parameter("weight")) < 1.0


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_kernels_in_another_layout_learn_the_same(optimiser: Literal["sgd", "adamw"]) -> None:
    """Channels-last kernels are updated in the order of their memory, also by an optimiser that was taken up again."""
    recipe = Recipe(epochs=1, learning_rate=0.01, optimiser=optimiser)
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.LazyLinear(2))
    images = torch.rand(8, 3, 6, 6)
    plain(images)
    other = copy.deepcopy(plain)
    other.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    ends = []
    for model in (plain, other):
        taught = optim.build(model, recipe)
        for step in range(4):
            if step == 2:
                again = optim.build(model, recipe)
                again.load_state_dict(copy.deepcopy(taught.state_dict()))
                taught = again
            model.zero_grad()
            model(images).square().sum().backward()
            taught.step()
        ends.append([parameter.detach() for parameter in model.parameters()])
    assert not ends[1][0].is_contiguous()
    for mine, wanted in zip(*ends, strict=True):
        assert torch.allclose(mine, wanted, atol=1e-6)
