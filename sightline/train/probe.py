"""Features of a frozen backbone, computed once, and a linear head solved on them.

Few images are seen several times, changed as they will be in fine-tuning: a head that knows them only as they are takes
their accidents for the class.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from sightline import stored
from sightline.files import replacing
from sightline.heads.known import ONE
from sightline.train.augment import augment
from sightline.train.draws import Draws
from sightline.train.inference import predict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import nn

    from sightline.data.loader import Stored
    from sightline.heads.protocol import Head
    from sightline.recipe import Recipe

FOLDS = 5
COPIES, SEEN = 16, 2048
"""Changed copies of each image at most, and of all images together."""
FLOOR = 0.1
"""Least spread of a feature, as a share of the mean spread, that standardising takes for real."""


def copies(images: int) -> int:
    """Changed copies of each of so many images."""
    return min(COPIES, SEEN // images)


def frozen_features(backbone: nn.Module, pixels: Tensor | Stored, recipe: Recipe, seed: int, cache: Path) -> Tensor:
    """Features (1 + copies, N, D) of uint8 images (N, 3, H, W), as they are and changed as by `recipe`.

    Taken from the file `cache` where they stand there as they were written.
    """
    from safetensors.torch import load_file, save_file

    if stored.is_whole(cache):
        return load_file(cache)["features"]
    generator = torch.Generator().manual_seed(seed)

    def changed(part: Tensor) -> Tensor:
        return augment(part, recipe, Draws(generator, len(part)))

    seen = [predict(backbone, pixels, prepared=changed) for _ in range(copies(len(pixels)))]
    features = torch.stack([predict(backbone, pixels), *seen])
    with replacing(cache) as scratch:
        save_file({"features": features}, scratch)
    stored.sign(cache)
    return features


def fit_head(
    head: nn.Linear,
    features: Tensor,
    labels: Tensor,
    penalties: Sequence[float],
    seed: int,
    groups: Tensor | None = None,
    task: Head = ONE,
) -> tuple[float, float]:
    """Fit `head` in place by logistic regression; cross-validation chooses the L2 penalty.

    `features` (K, N, D) of K copies of each image, which are held out together, as are the images of one of the
    `groups` (N,); `labels` (N, …) as the `task` has them. Of the penalties whose held-out log loss lies within a
    standard error of the lowest the largest is taken (Breiman et al. 1984): with few images the folds cannot tell them
    apart, and a small head is what fine-tuning starts well from. Features are standardised for the fit, and the scaling
    is folded into the head. Returns the penalty and its cross-validated share of right decisions (nan where a class has
    too few groups to hold some out).
    """
    kinds, count, _ = features.shape
    features = features.flatten(0, 1)
    scale, centre = torch.std_mean(features, dim=0, correction=0)
    # A nearly dead feature would get a huge weight, which explodes as soon as fine-tuning wakes it.
    scale = scale.clamp(min=max(FLOOR * float(scale.mean()), 1e-6))
    x, y = ((features - centre) / scale).double(), torch.cat([labels] * kinds)
    strata = task.strata(labels)
    sets = _sets(torch.arange(count) if groups is None else groups)
    spread = _groups_of_each(strata, sets)
    smallest = int(spread[spread > 0].min())
    best, accuracy = penalties[len(penalties) // 2], float("nan")
    if smallest > 1 and len(penalties) > 1:
        folds = _folds(strata, sets, min(FOLDS, smallest), seed).repeat(kinds)
        losses, hits = _held_out(x, y, folds, penalties, head.out_features, task)
        losses = losses.view(len(penalties), kinds, count).mean(1)
        lowest = int(losses.mean(1).argmin())
        limit = losses[lowest].mean() + _standard_error(losses[lowest], sets)
        best = max(penalty for penalty, loss in zip(penalties, losses.mean(1), strict=True) if loss <= limit)
        accuracy = float(hits[list(penalties).index(best)].mean())
    start = x.new_zeros(head.out_features, x.shape[1] + 1)
    weight, bias = _solve(x, y, best, start, task)
    with torch.no_grad():
        head.weight.copy_((weight / scale).float())
        head.bias.copy_((bias - (weight / scale) @ centre.double()).float())
    return best, accuracy


def _sets(groups: Tensor) -> Tensor:
    """For each image the place of the first one of its group, (N,)."""
    _, first, which = np.unique(groups.numpy(), return_index=True, return_inverse=True)
    return torch.from_numpy(first[which])


def _groups_of_each(labels: Tensor, sets: Tensor) -> Tensor:
    """In how many groups each label is found, (labels,)."""
    return torch.bincount(torch.stack([labels, sets]).unique(dim=1)[0])


def _folds(labels: Tensor, sets: Tensor, count: int, seed: int) -> Tensor:
    """Fold number of each image: groups stay whole, and those of every class are spread evenly.

    A group of several classes counts as one of that which the fewest groups have.
    """
    generator = torch.Generator().manual_seed(seed)
    common = _groups_of_each(labels, sets)[labels] * (int(labels.max()) + 1) + labels
    kind = torch.full_like(common, int(common.max())).scatter_reduce_(0, sets, common, "amin")
    kind %= int(labels.max()) + 1
    fold = torch.empty(len(labels), dtype=torch.long)
    first = sets == torch.arange(len(sets))
    for label in labels.unique():
        rows = ((kind == label) & first).nonzero().squeeze(1)
        fold[rows[torch.randperm(len(rows), generator=generator)]] = torch.arange(len(rows)) % count
    return fold[sets]


def _standard_error(losses: Tensor, sets: Tensor) -> Tensor:
    """Of the mean of `losses` (N,), with the images of a group counted as one draw."""
    sums = torch.zeros_like(losses).index_add_(0, sets, losses - losses.mean())[sets.unique()]
    return sums.std() * (math.sqrt(len(sums)) / len(losses))


def _held_out(
    x: Tensor, y: Tensor, folds: Tensor, penalties: Sequence[float], classes: int, task: Head
) -> tuple[Tensor, Tensor]:
    """Log losses and hits (penalties, N), each image judged by the head that did not see it."""
    losses, hits = x.new_empty(2, len(penalties), len(y))
    for fold in folds.unique():
        inside, start = folds != fold, x.new_zeros(classes, x.shape[1] + 1)
        # From the strictest on: each solution is a good start for the next.
        for number in sorted(range(len(penalties)), key=lambda one: -penalties[one]):
            weight, bias = _solve(x[inside], y[inside], penalties[number], start, task)
            start = torch.cat([weight, bias[:, None]], 1)
            logits = x[~inside] @ weight.T + bias
            losses[number, ~inside] = task.losses(logits, y[~inside])
            hits[number, ~inside] = task.hits(logits, y[~inside])
    return losses, hits


def _solve(x: Tensor, y: Tensor, penalty: float, start: Tensor, task: Head) -> tuple[Tensor, Tensor]:
    """Weights (classes, D) and bias (classes,) that minimise mean loss + penalty/2 · mean squared weights."""
    weight, bias = (part.clone().requires_grad_() for part in (start[:, :-1], start[:, -1]))
    # The cheap answer is as good: the folds differ by far more than the last digits.
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=100, tolerance_change=1e-6, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = task.loss(x @ weight.T + bias, y, None, 0.0) + penalty / 2 * weight.square().sum() / len(weight)
        value.backward()
        return value

    optimiser.step(loss)
    return weight.detach(), bias.detach()
