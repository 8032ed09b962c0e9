"""The batches of a training run: which images, in which order, read and augmented by whom and when.

Every random choice of step s is drawn from a generator seeded with (seed, s): a batch depends on nothing that came
before it.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sightline.data.loader import Stored
from sightline.heads.known import of
from sightline.models.device import best_device
from sightline.train import group
from sightline.train.ahead import ahead, aside
from sightline.train.augment import augment
from sightline.train.boxes import augment_located
from sightline.train.draws import Draws
from sightline.train.mixing import mix
from sightline.train.zoom import needed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sightline.data.loader import Images
    from sightline.recipe import Recipe
    from sightline.train.schedule import Schedule

READERS = 8
"""Threads that make batches ahead, at most; no more than torch computes with."""

CARD_SHARE = 1 / 3
"""Share of a GPU's free memory up to which the images of a run are held there: the network takes the most."""


def batch_of(images: Images, rows: Tensor, recipe: Recipe, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """This process's share (n, 3, H, W) of the images of a batch, augmented, and the targets of the whole batch.

    Targets are those of the task, or shares of them (N, classes) where images are mixed; all is on the best device.
    """
    pixels = images.take(_read(rows, images, recipe), needed(recipe, images.pixels.shape[2]))
    return _changed(pixels, images.labels[rows], images, recipe, generator)


def _read(rows: Tensor, images: Images, recipe: Recipe) -> Tensor:
    """What this process reads of the rows of a batch: all, where images are mixed with one another."""
    return rows if _mixes(images, recipe) else group.share_of(rows, recipe.accumulate)


def _mixes(images: Images, recipe: Recipe) -> bool:
    """Whether the images of a batch are mixed with one another, as mosaics too."""
    return recipe.mixes or of(images.task).is_located


def _changed(
    pixels: Tensor, labels: Tensor, images: Images, recipe: Recipe, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    device, places = best_device(), torch.arange(len(labels))
    draws = Draws(generator, len(labels), _read(places, images, recipe))
    batch, targets = pixels.to(device, non_blocking=True), labels.to(device, non_blocking=True)
    if of(images.task).is_located:
        batch, targets = augment_located(batch, targets, recipe, draws)
    else:
        batch = augment(batch, recipe, draws)
    if recipe.mixes:
        shares = of(images.task).shares(targets, len(images.classes))
        batch, targets = mix(batch, shares, recipe, generator)
    if _mixes(images, recipe) and group.members() > 1:
        batch = batch[group.share_of(places, recipe.accumulate).to(device)]
    return batch, targets


def held(images: Images) -> Images:
    """The images on the GPU, where there is one and they take little of its memory; else as they are."""
    pixels = images.pixels
    if best_device().type != "cuda" or isinstance(pixels, Stored):
        return images
    if pixels.numel() > CARD_SHARE * torch.cuda.mem_get_info()[0]:
        return images
    return replace(images, pixels=pixels.to(best_device()), labels=images.labels.to(best_device()))


@contextmanager
def reader(
    images: Images, recipe: Recipe, schedule: Schedule, seed: int
) -> Iterator[Callable[[int], tuple[Tensor, Tensor]]]:
    """What gives the batch of a step, made ahead where that takes no time from the network.

    On a GPU pixels that do not lie there are read ahead, and all are changed there while it works on the network; on
    the CPU images on the disk are changed ahead too.
    """
    side, readers = needed(recipe, images.pixels.shape[2]), min(torch.get_num_threads(), READERS)
    given, images = images, held(images)

    @lru_cache(maxsize=2)
    def order(epoch: int) -> Tensor:
        return order_of(given, recipe, generator_for(seed, epoch, -1)).to(images.labels.device)

    def rows(step: int) -> Tensor:
        epoch, number = divmod(step, schedule.steps_per_epoch)
        return order(epoch)[number * schedule.batch : (number + 1) * schedule.batch]

    def generator(step: int) -> torch.Generator:
        return generator_for(seed, *divmod(step, schedule.steps_per_epoch))

    def pinned(step: int) -> tuple[Tensor, Tensor]:
        return images.take(_read(rows(step), images, recipe), side).pin_memory(), images.labels[rows(step)].pin_memory()

    def whole(step: int) -> tuple[Tensor, Tensor]:
        return batch_of(images, rows(step), recipe, generator(step))

    if images.labels.is_cuda:
        with aside(whole, schedule.steps) as take:
            yield take
    elif best_device().type == "cuda":
        with (
            ahead(pinned, schedule.steps, readers) as read,
            aside(lambda step: _changed(*read(step), images, recipe, generator(step)), schedule.steps) as take,
        ):
            yield take
    elif isinstance(images.pixels, Stored):
        with ahead(whole, schedule.steps, readers) as take:
            yield take
    else:
        # From memory to the CPU there is nothing to wait for, only cores to quarrel over.
        yield whole


def order_of(images: Images, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """The images of a pass in order; balanced sampling draws with replacement, rare classes as often as others."""
    if recipe.balance != "sampling":
        return torch.randperm(len(images), generator=generator)
    chances = of(images.task).chances(images.labels, len(images.classes))
    return torch.multinomial(chances, len(images), replacement=True, generator=generator)


def class_weights(images: Images) -> Tensor:
    """Weights (classes,) by which rare classes count as much as frequent ones, as the task has them."""
    return of(images.task).class_weights(images.labels, len(images.classes)).to(best_device())


def generator_for(seed: int, epoch: int, number: int) -> torch.Generator:
    """The generator of one step: the same for the same run, epoch and number in it."""
    # Three odd constants keep neighbouring steps, epochs and seeds apart.
    mixed = (seed * 0x9E3779B97F4A7C15 + epoch * 0xBF58476D1CE4E5B9 + (number + 2) * 0x94D049BB133111EB) % 2**63
    return torch.Generator().manual_seed(mixed)
