"""Features of a frozen backbone, computed once, and a linear head solved on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sightline.train.inference import predict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FOLDS = 5


def frozen_features(backbone: nn.Module, pixels: Tensor, cache: Path) -> Tensor:
    """Features (N, D) of uint8 images (N, 3, H, W); taken from `cache` where they stand there."""
    from safetensors.torch import load_file, save_file

    if cache.is_file():
        return load_file(cache)["features"]
    features = predict(backbone, pixels)
    cache.parent.mkdir(parents=True, exist_ok=True)
    scratch = cache.with_suffix(".tmp")
    save_file({"features": features}, scratch)
    scratch.replace(cache)
    return features


def fit_head(
    head: nn.Linear, features: Tensor, labels: Tensor, penalties: Sequence[float], seed: int
) -> tuple[float, float]:
    """Fit `head` in place by logistic regression; the L2 penalty with the best cross-validated log loss is taken.

    Features are standardised for the fit, and the scaling is folded into the head. Returns the penalty and its
    cross-validated accuracy (nan where a class has too few images to hold some out).
    """
    scale, centre = torch.std_mean(features, dim=0, correction=0)
    scale = scale.clamp(min=1e-6)
    x, y = ((features - centre) / scale).double(), labels
    smallest = int(torch.bincount(y, minlength=head.out_features)[y.unique()].min())
    best, accuracy = penalties[len(penalties) // 2], float("nan")
    if smallest > 1 and len(penalties) > 1:
        folds = _folds(y, min(FOLDS, smallest), seed)
        scored = [(*_held_out(x, y, folds, penalty, head.out_features), penalty) for penalty in penalties]
        _, accuracy, best = min(scored)
    weight, bias = _solve(x, y, best, head.out_features)
    with torch.no_grad():
        head.weight.copy_((weight / scale).float())
        head.bias.copy_((bias - (weight / scale) @ centre.double()).float())
    return best, accuracy


def _folds(labels: Tensor, count: int, seed: int) -> Tensor:
    """Fold number of each image, every class spread evenly."""
    generator = torch.Generator().manual_seed(seed)
    fold = torch.empty(len(labels), dtype=torch.long)
    for label in labels.unique():
        rows = (labels == label).nonzero().squeeze(1)
        fold[rows[torch.randperm(len(rows), generator=generator)]] = torch.arange(len(rows)) % count
    return fold


def _held_out(x: Tensor, y: Tensor, folds: Tensor, penalty: float, classes: int) -> tuple[float, float]:
    """Log loss and accuracy on the images held out, over all folds."""
    logits = torch.empty(len(y), classes, dtype=x.dtype)
    for fold in folds.unique():
        inside = folds != fold
        weight, bias = _solve(x[inside], y[inside], penalty, classes)
        logits[~inside] = x[~inside] @ weight.T + bias
    return float(nn.functional.cross_entropy(logits, y)), float((logits.argmax(1) == y).double().mean())


def _solve(x: Tensor, y: Tensor, penalty: float, classes: int) -> tuple[Tensor, Tensor]:
    """Weights (classes, D) and bias (classes,) that minimise mean cross-entropy + penalty/2 · mean squared weights."""
    weight = torch.zeros(classes, x.shape[1], dtype=x.dtype, requires_grad=True)
    bias = torch.zeros(classes, dtype=x.dtype, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = nn.functional.cross_entropy(x @ weight.T + bias, y) + penalty / 2 * weight.square().sum() / len(weight)
        value.backward()
        return value

    optimiser.step(loss)
    return weight.detach(), bias.detach()
