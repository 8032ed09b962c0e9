"""The processes that train one network together: who this one is, and what they say to one another.

Alone, where nobody called `join`, a group has one member and everything here is the identity. A step is the same
with any number of members, but for rounding and dropout: every member draws for the whole batch what is random, makes
its part of it, learns from that and weighs it by its share. Normalisation needs all of the batch at once, so its
statistics are shared too: `torch.nn.SyncBatchNorm` does that on GPUs, `SharedNorm` on CPUs, where torch has none.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from sightline.models.device import best_device
from sightline.train import inference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.data.loader import Images


@contextmanager
def join() -> Iterator[None]:
    """Be a member of the group that torchrun's variables describe: over nccl, a GPU each, where there are GPUs."""
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def members() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def number() -> int:
    """Which of them this one is; number 0 writes and tells."""
    return dist.get_rank() if dist.is_initialized() else 0


def part(rows: Tensor) -> Tensor:
    """The rows that are this member's; parts differ by one row at most."""
    return rows.tensor_split(members())[number()] if members() > 1 else rows


def share_of(rows: Tensor, accumulate: int) -> Tensor:
    """The rows of a batch that are this member's, where the batch is learned from in `accumulate` parts."""
    return torch.cat([part(one) for one in rows.chunk(accumulate)]) if members() > 1 else rows


def summed(values: Tensor) -> Tensor:
    """The sum over all members, in place, bit for bit the same in each."""
    if members() > 1:
        dist.all_reduce(values)
    return values


def averaging(model: nn.Module) -> nn.Module:
    """`model`, its backward pass averaging the gradients over all members while it goes on."""
    return nn.parallel.DistributedDataParallel(model) if members() > 1 else model


def scored(model: nn.Module, images: Images) -> tuple[float, float, float]:
    """`inference.scored` with the images divided; computed from all answers at once, so the same in each member."""
    if members() == 1 or not len(images):
        return inference.scored(model, images)
    places = part(torch.arange(len(images)))
    # Of none there would be no outputs whose shape tells that of all.
    mine = inference.predict(model, images.pixels[places if len(places) else [0]])[: len(places)].to(best_device())
    logits = mine.new_zeros(len(images), *mine.shape[1:])
    logits[places] = mine
    answers = summed(logits).cpu()
    return inference.judged(answers, images)


def share_statistics(model: nn.Module) -> nn.Module:
    """Let the batch normalisation in `model` see the whole batch; parameters and their names stay."""
    if members() == 1:
        return model
    if torch.cuda.is_available():
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(model)
        return converted
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001 — their base has no public name
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, SharedNorm(layer))
    return model


class _Sum(torch.autograd.Function):
    """The sum over all members; every member's loss depends on it, so its gradient is the sum of theirs."""

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        return summed(values.clone())

    @staticmethod
    def backward(_: Any, *gradients: Tensor) -> Tensor:
        return summed(gradients[0].clone())


def _together(values: Tensor) -> Tensor:
    total: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return total


class SharedNorm(nn.modules.batchnorm._BatchNorm):  # noqa: SLF001
    """Batch normalisation over the batch of all members, by sums that gradients flow through."""

    def __init__(self, origin: nn.modules.batchnorm._BatchNorm) -> None:
        super().__init__(origin.num_features, origin.eps, origin.momentum, origin.affine, origin.track_running_stats)
        self.weight, self.bias = origin.weight, origin.bias
        self.running_mean, self.running_var = origin.running_mean, origin.running_var
        self.num_batches_tracked = origin.num_batches_tracked
        self.train(origin.training)

    def _check_input_dim(self, images: Tensor) -> None:
        """Any number of axes will do."""

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, …), normalised per channel."""
        if not self.training:
            return super().forward(images)
        axes = [0, *range(2, images.ndim)]
        shape = [1, -1] + [1] * (images.ndim - 2)
        values = images.float()
        count = values.new_tensor([values.numel() / self.num_features])
        sums = _together(torch.cat([values.sum(axes), count]))
        mean, total = sums[:-1] / sums[-1], float(sums[-1].detach())
        centred = values - mean.view(shape)
        variance = _together(centred.square().sum(axes)) / total
        self._remember(mean.detach(), variance.detach() * total / (total - 1))
        normal: Tensor = centred * torch.rsqrt(variance + self.eps).view(shape)
        if self.affine:
            normal = torch.addcmul(self.bias.view(shape), normal, self.weight.view(shape))
        return normal.to(images.dtype)

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics towards those of this batch, as torch does: the variance unbiased."""
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked += 1
        rate = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked)
        self.running_mean.lerp_(mean, rate)
        self.running_var.lerp_(variance, rate)
