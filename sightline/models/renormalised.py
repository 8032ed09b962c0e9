"""Networks whose weights were trained on pixels that were normalised otherwise than ours."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from sightline.images.normalise import MEAN, STD

Colours = tuple[float, ...]
"""A value for each colour, as a share of white."""


def factors(mean: Colours, std: Colours) -> tuple[Tensor, Tensor]:
    """Scale and shift (3, 1, 1) that make of our normalised pixels those of another mean and spread."""
    own_mean, own_std, mean_, std_ = (torch.tensor(one).view(3, 1, 1) for one in (MEAN, STD, mean, std))
    return own_std / std_, (own_mean - mean_) / std_


class RenormalisedConv2d(nn.Conv2d):
    """The first convolution of a network, which normalises its images anew.

    The values lie among the weights, so that they go wherever these go: into the bundle, and into every graph. Weights
    without them, of earlier releases, learned from pixels as ours are.
    """

    scale: Tensor
    shift: Tensor

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:  # noqa: A002 — torch's name
        answers: Tensor = super()._conv_forward(input * self.scale + self.shift, weight, bias)
        return answers

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        for name, value in self.plain.items():
            state_dict.setdefault(prefix + name, value)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    @property
    def plain(self) -> dict[str, Tensor]:
        """The values that leave images as they are."""
        return {"scale": torch.ones_like(self.scale), "shift": torch.zeros_like(self.shift)}


def renormalise(network: nn.Module, mean: Colours, std: Colours) -> None:
    """Let a fresh network take our normalised pixels where its weights expect those of `mean` and `std`."""
    scale, shift = factors(mean, std)
    if bool((scale == 1).all()) and not shift.any():
        return
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    first.__class__ = RenormalisedConv2d
    first.register_buffer("scale", scale)
    first.register_buffer("shift", shift)


def values(network: nn.Module, *, is_ours: bool) -> dict[str, Tensor]:
    """Scale and shift for weights of the network that come without, by their names.

    Ours of an earlier release took images as they are. Files of torchvision's networks tell no pixels: most hold what
    it published, or what began with that, and are taken for such.
    """
    return {
        f"{name}.{value}": tensor
        for name, part in network.named_modules()
        if isinstance(part, RenormalisedConv2d)
        for value, tensor in (part.plain if is_ours else {"scale": part.scale, "shift": part.shift}).items()
    }
