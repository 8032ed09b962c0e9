"""Training on several labels for each image: the same loop, the same head on frozen features."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from sightline.data.loader import Images
from sightline.heads.known import of
from sightline.heads.labels import MULTILABEL
from sightline.models.zoo import build
from sightline.recipe import Recipe
from sightline.train import batches, inference
from sightline.train.checkpoint import Checkpoint
from sightline.train.loop import train
from sightline.train.probe import fit_head

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = Recipe(epochs=20, batch_size=16, learning_rate=0.1, clip=1.0, flip=False)
EVERYTHING = replace(RECIPE, mixup=0.2, cutmix=1.0, accumulate=2, ema=0.9, balance="weights")


def toys(count: int = 64, seed: int = 1) -> Images:
    """Each of three colours is there by itself, or not: 1, 2, 3 or none of them."""
    generator = torch.Generator().manual_seed(seed)
    labels = (torch.rand(count, 3, generator=generator) < 0.4).to(torch.uint8)
    noise = torch.randint(0, 60, (count, 3, 16, 16), generator=generator)
    pixels = (noise + labels.view(-1, 3, 1, 1) * 120).to(torch.uint8)
    return Images(pixels.contiguous(memory_format=torch.channels_last), labels, ("r", "g", "b"), task=MULTILABEL)


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [RECIPE, EVERYTHING, replace(RECIPE, balance="sampling")])
def test_loop_learns_several_labels(tmp_path: Path, recipe: Recipe) -> None:
    """The score of a pass is mAP; mixing, parts of a batch, weights and sampling go with it."""
    torch.manual_seed(0)
    model = build("cnn", 3, 16)
    history = train(model, toys(), toys(32, 2), recipe, 3, Checkpoint(tmp_path / "c.pt"), lambda _: None)
    assert history[-1].val_accuracy > 0.95
    loss, score, fitted = inference.scored(model, toys(32, 2))
    assert score == pytest.approx(history[-1].val_accuracy, abs=0.02)
    assert 0 < loss < 1
    assert 0 < fitted < 1


def test_mixed_targets_are_shares_of_each_label() -> None:
    """A label that only one of two blended images has is there in part; nothing adds up to one."""
    recipe = replace(RECIPE, mixup=1.0)
    images = toys()
    _, targets = batches.batch_of(images, torch.arange(16), recipe, torch.Generator().manual_seed(0))
    labels = images.labels[:16].float()
    both = labels + labels.roll(1, 0)
    assert ((targets.cpu() == 1) == (both == 2)).all()
    assert ((targets.cpu() == 0) == (both == 0)).all()


def test_rare_label_is_drawn_as_often_as_others() -> None:
    """Balanced sampling goes by the rarest label of an image."""
    images = toys(400)
    labels = images.labels.clone()
    labels[:, 0] = 0
    labels[:8, 0] = 1
    order = batches.order_of(
        replace(images, labels=labels), replace(RECIPE, balance="sampling"), torch.Generator().manual_seed(0)
    )
    assert labels[order, 0].float().mean() > 0.2


def test_head_is_fitted_for_each_label() -> None:
    """On frozen features, the penalty chosen by folds; as good as the features are."""
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(120, 4, generator=generator) < 0.3).to(torch.uint8)
    features = torch.cat([labels.float() * 6, torch.zeros(120, 2)], 1) + torch.randn(120, 6, generator=generator)
    head, task = nn.Linear(6, 4), of(MULTILABEL)
    penalty, right = fit_head(head, features[None], labels, [1e-3, 1e-1, 10.0], 0, None, task)
    assert penalty in {1e-3, 1e-1}
    assert right > 0.95
    assert float(task.hits(head(features), labels).mean()) > 0.97


def test_label_of_one_image_does_not_hinder_the_folds() -> None:
    """What too few images show shares no fold out: the penalty is chosen all the same."""
    generator = torch.Generator().manual_seed(0)
    labels = (torch.rand(120, 3, generator=generator) < 0.3).to(torch.uint8)
    labels[:, 2] = 0
    labels[5, 2] = 1
    features = labels.float() * 6 + torch.randn(120, 3, generator=generator)
    _, right = fit_head(nn.Linear(3, 3), features[None], labels, [1e-3, 1e-1], 0, None, of(MULTILABEL))
    assert right > 0.9
