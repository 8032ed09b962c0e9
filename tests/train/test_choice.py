"""Which of the trained candidates is taken."""

from __future__ import annotations

import torch
from torch import nn

from sightline.data.loader import Images
from sightline.train.chain import choose
from sightline.train.inference import scored
from sightline.train.result import Trained


def candidate(stage: str, accuracy: float, loss: float, fitted: float) -> Trained:
    return Trained(
        stage=stage,
        path=stage,
        weights="0",
        network="cnn",
        size=8,
        classes=("a", "b"),
        val_accuracy=accuracy,
        val_loss=loss,
        val_fitted_loss=fitted,
        seconds=1.0,
    )


def test_the_more_accurate_wins() -> None:
    """Accuracy on the validation images comes first."""
    best, reason = choose(candidate("finetune", 0.9, 0.2, 0.2), None, candidate("scratch", 0.91, 0.9, 0.9))
    assert best.stage == "scratch"
    assert reason == "scratch is best on the validation images: 0.910 (beside finetune 0.900)"


def test_equal_accuracy_is_decided_at_the_fitted_temperature() -> None:
    """A network that learned from smoothed labels claims less than it knows, which does not count against it."""
    best, reason = choose(candidate("finetune", 0.9, 0.4, 0.1), candidate("transfer", 0.9, 0.2, 0.2))
    assert best.stage == "finetune"
    assert reason == "finetune is best on the validation images: 0.900, and the lower log loss (beside transfer 0.900)"


def test_fitted_loss_does_not_depend_on_the_scale_of_answers() -> None:
    """Logits ten times smaller have another loss, and the same loss at the temperature that fits them."""
    pixels = torch.randint(0, 256, (60, 3, 4, 4), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    labels = (pixels.float().mean((1, 2, 3)) > pixels.float().mean()).long()
    labels[:6] = 1 - labels[:6]
    images = Images(pixels, labels, ("a", "b"))
    layer = nn.Sequential(nn.Flatten(), nn.Linear(48, 2))
    linear = layer[1]
    assert isinstance(linear, nn.Linear)
    with torch.no_grad():
        linear.weight.copy_(torch.stack([-torch.ones(48), torch.ones(48)]) / 20)
        linear.bias.zero_()
        loud = scored(layer, images)
        linear.weight.div_(10)
        quiet = scored(layer, images)
    assert loud[1] == quiet[1]
    assert abs(loud[0] - quiet[0]) > 0.05
    assert abs(loud[2] - quiet[2]) < 0.01
