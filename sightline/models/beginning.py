"""Where a network begins that goes on from pretrained weights."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BATCH_NORM = nn.modules.batchnorm._BatchNorm  # noqa: SLF001 — the base of all of them has no public name


def begin_from(backbone: nn.Module, state: Mapping[str, Tensor], size: int) -> None:
    """Give a fresh backbone for images of `size` pixels the weights of a pretrained one, at the scale of its own.

    Behind a convolution that a batch normalisation follows, the scale of its weights changes no answer (running
    statistics are scaled with it), but how far a step of Adam's length turns them (van Laarhoven 2017): longer ones
    learn more slowly than the fresh layers around them.
    """
    pairs = list(_normalised(backbone, size))
    fresh = [float(convolution.weight.detach().norm()) for convolution, _ in pairs]
    backbone.load_state_dict(state)
    with torch.no_grad():
        for (convolution, norm), length in zip(pairs, fresh, strict=True):
            given = float(convolution.weight.norm())
            if not (length and given):
                continue
            factor = length / given
            convolution.weight.mul_(factor)
            if norm.affine and norm.running_mean is not None and norm.running_var is not None:
                spread = norm.running_var * factor**2
                # What is added to a variance, lest one divides by nothing, does not grow with it.
                norm.weight.mul_(((spread + norm.eps) / (factor**2 * (norm.running_var + norm.eps))).sqrt())
                norm.running_mean.mul_(factor)
                norm.running_var.copy_(spread)


def _normalised(backbone: nn.Module, size: int) -> Iterator[tuple[nn.Conv2d, BATCH_NORM]]:
    """The convolutions without a bias that a batch normalisation in the same part follows, each with that."""
    made: dict[int, tuple[str, nn.Conv2d, Tensor]] = {}
    taken: dict[str, tuple[BATCH_NORM, int]] = {}

    def after(name: str, part: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        if isinstance(part, nn.Conv2d):
            # Held on to: another tensor must not get its number.
            made[id(output)] = name, part, output
        elif isinstance(part, BATCH_NORM):
            taken[name] = part, id(inputs[0])

    handles = [part.register_forward_hook(partial(after, name)) for name, part in backbone.named_modules()]
    was_training = backbone.training
    with torch.no_grad():
        backbone.eval()(torch.zeros(1, 3, size, size))
    backbone.train(was_training)
    for handle in handles:
        handle.remove()
    for name, (norm, number) in taken.items():
        before, convolution, _ = made.get(number, ("", None, None))
        # Where blocks begin with a normalisation, what is before one may go around it as well.
        if convolution is not None and convolution.bias is None and _around(before) == _around(name):
            yield convolution, norm


def _around(name: str) -> str:
    return name.rpartition(".")[0]
