"""Optimisers with their parameter groups, and the moving average of weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sightline.recipe import Recipe

LEVELS = 8
"""Layer-wise rates change in so many steps from the first layer to the head: few groups keep the update fast."""

LAST = (0, 2, 3, 1)
"""The axes of a kernel in the order in which channels-last keeps them."""


def build(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser of `recipe`: decay on kernels and matrices alone, the rate growing from the first layer on.

    With `freeze_backbone` its parameters are left out and ask for no gradient.
    """
    for name, parameter in model.named_parameters():
        if recipe.freeze_backbone and name.startswith("backbone."):
            parameter.requires_grad_(False)
    views: dict[nn.Parameter, nn.Parameter] = {}
    groups = _groups(model, recipe, views)
    # The fused update is one pass over the weights instead of several.
    optimiser: torch.optim.Optimizer
    if recipe.optimiser == "adamw":
        optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate, betas=(recipe.momentum, 0.999), fused=True)
    else:
        nesterov = recipe.momentum > 0
        optimiser = torch.optim.SGD(
            groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=nesterov, fused=True
        )

    def lend(*_: object) -> None:
        for parameter, view in views.items():
            view.grad = None if parameter.grad is None else parameter.grad.permute(LAST)

    def take_back(*_: object) -> None:
        for view in views.values():
            view.grad = None

    optimiser.register_step_pre_hook(lend)
    optimiser.register_step_post_hook(take_back)
    return optimiser


def decays(name: str, parameter: Tensor) -> bool:
    """Whether a layer's own parameter of that name is multiplied with its inputs: a kernel or a matrix.

    All others are added or scale: biases, normalisation, the tables of relative positions, class tokens, positions and
    the scales of layers. Zero means nothing for them, so nothing draws them there (Liu et al. 2021 and 2022, Swin and
    ConvNeXt).
    """
    return parameter.ndim > 1 and name.endswith("weight")


def set_rate(optimiser: torch.optim.Optimizer, recipe: Recipe, rate: float, momentum: float) -> None:
    """Give each group its rate and momentum: `rate` and `momentum` are shares of the recipe's."""
    for group in optimiser.param_groups:
        group["lr"] = recipe.learning_rate * rate * group["share"]
        if "betas" in group:
            group["betas"] = (recipe.momentum * momentum, group["betas"][1])
        else:
            group["momentum"] = recipe.momentum * momentum


def moving_average(model: nn.Module, decay: float) -> AveragedModel:
    """The exponential moving average of weights and statistics; `update_parameters` after each step.

    The decay climbs as (1 + t) / (10 + t) to its value, so that short runs forget where they began.
    """

    def update(averages: Sequence[Tensor], values: Sequence[Tensor], count: Tensor | int) -> None:
        kept = min(decay, (1 + int(count)) / (10 + int(count)))
        for average, value in zip(averages, values, strict=True):
            if average.is_floating_point():
                average.lerp_(value.to(average.dtype), 1 - kept)
            else:
                average.copy_(value)

    rule: Callable[..., None] = torch.no_grad()(update)
    return AveragedModel(model, multi_avg_fn=rule, use_buffers=True)


def _groups(model: nn.Module, recipe: Recipe, views: dict[nn.Parameter, nn.Parameter]) -> list[dict[str, object]]:
    """Parameters by level of depth and by whether they decay, each group with its `share` of the rate.

    On the CPU kernels that lie channels-last are replaced by a view in the order of their memory, kept in `views`: the
    fused update would copy weight, gradient and momentum into another order first, which takes longer than the update.
    """
    layers = [part for part in model.modules() if any(True for _ in part.parameters(recurse=False))]
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for number, layer in enumerate(layers):
        level = round(LEVELS * number / max(1, len(layers) - 1)) if recipe.first_layer_rate != 1 else LEVELS
        for name, parameter in layer.named_parameters(recurse=False):
            if parameter.requires_grad:
                if parameter.device.type == "cpu" and not parameter.is_contiguous():
                    views[parameter] = nn.Parameter(parameter.detach().permute(LAST))
                groups.setdefault((level, decays(name, parameter)), []).append(views.get(parameter, parameter))
    return [
        {
            "params": parameters,
            "weight_decay": recipe.weight_decay if shrinks else 0.0,
            "share": recipe.first_layer_rate ** (1 - level / LEVELS),
        }
        for (level, shrinks), parameters in groups.items()
    ]
