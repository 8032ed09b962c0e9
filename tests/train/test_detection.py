"""Detectors are trained by the loop that trains classifiers: they learn, and a killed run goes on as if undisturbed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from sightline.data.loader import Images
from sightline.errors import ConfigError
from sightline.heads.detect import Detect
from sightline.heads.labels import DETECT
from sightline.heads.targets import CLASS, NOTHING, OBJECT, empty
from sightline.models.detector import build
from sightline.recipe import Recipe
from sightline.train import loop
from sightline.train.checkpoint import Checkpoint
from sightline.train.inference import predict
from sightline.train.loop import train

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 64
RECIPE = Recipe(
    epochs=4,
    batch_size=8,
    optimiser="adamw",
    learning_rate=0.002,
    accumulate=2,
    zoom=0.5,
    trivial=True,
    ema=0.9,
    clip=10.0,
    balance="sampling",
)


def squares(count: int, seed: int = 0) -> Images:
    """Red and green squares on noise, none or two of them an image."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 60, (count, 3, SIDE, SIDE), generator=generator, dtype=torch.uint8)
    labels = empty(count, 2)
    for number in range(count):
        for place in range(2 if number % 4 else 0):
            side = int(torch.randint(12, 25, (), generator=generator))
            top = int(torch.randint(0, SIDE - side, (), generator=generator))
            left = int(torch.randint(0, SIDE // 2 - 12, (), generator=generator)) + place * SIDE // 2
            right = min(SIDE, left + side)
            colour = int(torch.randint(0, 2, (), generator=generator))
            pixels[number, colour, top : top + side, left:right] = 230
            labels[number, place] = torch.tensor([left, top, right, top + side, colour, OBJECT])
    pixels = pixels.contiguous(memory_format=torch.channels_last)
    return Images(pixels, labels, ("red", "green"), task=DETECT)


@pytest.fixture(autouse=True)
def _always_time_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after each step, however short the steps of toys are."""
    monkeypatch.setattr(loop, "WRITING", 1e9)


class Dying(Checkpoint):
    """Dies as soon as the state of step 5 is written."""

    def save(self, values: dict[str, Any]) -> None:
        """Write, and die where it is time."""
        super().save(values)
        if values["step"] == 5:
            raise KeyboardInterrupt


def run(
    path: Path, recipe: Recipe = RECIPE, *, dies: bool = False, network: str = "cnn"
) -> tuple[dict[str, torch.Tensor], list[float]]:
    """Weights and scores of a run of four passes over 24 images."""
    torch.manual_seed(0)
    model = build(network, 2, SIDE)
    checkpoint = (Dying if dies else Checkpoint)(path, every=0.0)
    history = train(model, squares(24), squares(8, 1), recipe, 3, checkpoint, lambda _: None)
    return model.state_dict(), [epoch.train_loss for epoch in history]


@pytest.mark.slow
@pytest.mark.parametrize("network", ["cnn", "fasterrcnn:cnn"])
def test_a_killed_run_goes_on_as_if_undisturbed(network: str, tmp_path: Path) -> None:
    """With mosaics, colours, sampling by class, averaged weights and batches in parts: the same bits."""
    whole, losses = run(tmp_path / "whole.pt", network=network)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed.pt", dies=True, network=network)
    resumed, again = run(tmp_path / "killed.pt", network=network)
    assert again == losses
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("network", ["cnn", "fasterrcnn:cnn"])
def test_boxes_are_learned(network: str, tmp_path: Path) -> None:
    """After a hundred steps new squares are found where they are, in their colours."""
    torch.manual_seed(0)
    model = build(network, 2, SIDE)
    recipe = Recipe(epochs=1, steps=120, batch_size=8, optimiser="adamw", learning_rate=0.004, zoom=0.7)
    val = squares(24, 1)
    history = train(model, squares(96), val, recipe, 0, Checkpoint(tmp_path / "run.pt"), lambda _: None)
    assert history[-1].train_loss < history[0].train_loss / 2
    assert history[-1].val_accuracy > 0.6
    answers = predict(model, val.pixels)
    # Images without squares are answered with none.
    assert float(answers[::4, :, 5].max()) < 0.5
    assert (answers[..., CLASS] >= NOTHING).all()


def test_boxes_cannot_be_blended(tmp_path: Path) -> None:
    """Mixup and CutMix are refused, with what does instead."""
    with pytest.raises(ConfigError, match="zoom makes mosaics"):
        run(tmp_path / "run.pt", replace(RECIPE, mixup=0.2, accumulate=1))


def test_rare_classes() -> None:
    """Images of a rare class are drawn as often as others, and its objects weigh as much."""
    labels = empty(5, 2)
    for image, classes in enumerate([(0, 0), (0, 0), (0, 1), (0,), ()]):
        for place, number in enumerate(classes):
            labels[image, place, CLASS] = number
    head = Detect()
    weights = head.class_weights(labels, 2)
    assert weights.tolist() == pytest.approx([7 / 2 / 6, 7 / 2 / 1])
    chances = head.chances(labels, 2)
    assert chances.argmax() == 2
    assert chances[0] == chances[3] == chances[4] > 0
    assert head.chances(empty(3, 0), 2).tolist() == [1, 1, 1]
