"""Random resized crops."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from sightline.recipe import Recipe
from sightline.train.augment import augment
from sightline.train.draws import Draws
from sightline.train.zoom import needed, one_by_one, together, windows, zoom


def pictures(count: int, side: int = 40) -> torch.Tensor:
    """Noise, channels last in memory."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, side, side, 3), generator=generator, dtype=torch.uint8).permute(0, 3, 1, 2)


def seeded(count: int) -> Draws:
    return Draws(torch.Generator().manual_seed(0), count)


@pytest.mark.parametrize("size", [16, 32, 64])
def test_both_ways_agree_with_pillow(size: int) -> None:
    """The way of the CPU, the way of the GPU and Pillow's give the same pixels but for rounding, larger or smaller."""
    images = pictures(5)
    boxes = windows(40, 0.2, seeded(5))
    wanted = []
    for image, (top, left, height, width) in zip(images, boxes.tolist(), strict=True):
        cut = Image.fromarray(image.permute(1, 2, 0).numpy()).crop((left, top, left + width, top + height))
        wanted.append(np.asarray(cut.resize((size, size), Image.Resampling.BILINEAR)))
    pillow = torch.from_numpy(np.stack(wanted)).permute(0, 3, 1, 2)
    for found in (one_by_one(images, boxes, size), together(images, boxes, size)):
        assert int((found.int() - pillow.int()).abs().max()) <= 2
        assert found.is_contiguous(memory_format=torch.channels_last)


def test_windows_have_the_area_and_ratio_asked_for() -> None:
    """Within the image, at least the smallest area but for rounding, another for each image, anywhere."""
    top, left, height, width = windows(256, 0.25, seeded(4000)).double().T
    assert float(torch.stack([top, left]).min()) == 0
    assert float(torch.stack([top + height, left + width]).max()) == 256
    area, ratio = height * width / 256**2, (width / height).log()
    assert float(area.min()) > 0.24
    assert float(area.mean()) == pytest.approx((1 + 0.25) / 2, abs=0.02)
    assert float(ratio.abs().max()) < math.log(4 / 3) + 0.02
    assert float(ratio.mean()) == pytest.approx(0, abs=0.02)
    # As much room above as below.
    assert float((top - (256 - top - height)).mean()) == pytest.approx(0, abs=4)


def test_size_alone_takes_the_whole_image() -> None:
    """Without zoom an image is only made smaller."""
    images = pictures(2)
    found = zoom(images, 20, 1.0, seeded(2))
    assert torch.equal(found, one_by_one(images, torch.tensor([[0, 0, 40, 40]] * 2), 20))


def test_augmentation_trains_at_the_size_of_the_recipe() -> None:
    """From 40 pixels to 24, with zoom and without; the same generator gives the same images."""
    recipe = Recipe(epochs=1, size=24, zoom=0.3)
    for one in (recipe, replace(recipe, zoom=0.0), replace(recipe, rotate=5.0)):
        first, second = (augment(pictures(4), one, seeded(4)) for _ in range(2))
        assert first.shape == (4, 3, 24, 24)
        assert torch.equal(first, second)


@pytest.mark.parametrize(
    ("size", "share", "side"), [(0, 0.0, 256), (224, 0.08, 256), (112, 0.0, 112), (64, 0.25, 128), (0, 0.3, 256)]
)
def test_no_more_is_read_than_the_smallest_window_needs(size: int, share: float, side: int) -> None:
    """Of 256 pixels: 128 where a quarter of the image becomes 64 pixels."""
    assert needed(Recipe(epochs=1, size=size, zoom=share), 256) == side
