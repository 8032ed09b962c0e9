"""Augmentation of batches: what is moved, what stays, and that one generator decides everything."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from sightline.heads.known import ONE
from sightline.images.normalise import MEAN, STD, normalise
from sightline.recipe import Recipe
from sightline.train.augment import augment, fetched, rectangles
from sightline.train.draws import Draws
from sightline.train.mixing import mix
from sightline.train.trivial import OPERATIONS, change

PLAIN = Recipe(epochs=1, crop=0.0, flip=False)


def batch(count: int = 16, side: int = 12) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, side, side, 3), generator=generator, dtype=torch.uint8)
    return pixels.permute(0, 3, 1, 2)


def seeded(count: int = 16) -> Draws:
    return Draws(torch.Generator().manual_seed(5), count)


def test_normalise_centres_each_colour() -> None:
    """Each colour loses its mean and is divided by its spread, whatever the layout of the input."""
    pixels = batch()
    shape = (1, 3, 1, 1)
    wanted = (pixels / 255 - torch.tensor(MEAN).view(shape)) / torch.tensor(STD).view(shape)
    for given in (pixels, pixels.contiguous(), pixels.float()):
        before = given.clone()
        assert torch.allclose(normalise(given), wanted, atol=1e-5)
        assert torch.equal(given, before)
    assert normalise(pixels).is_contiguous(memory_format=torch.channels_last)


def test_crop_takes_a_window_of_the_reflected_image() -> None:
    """Each cropped image is a window of its padded original, and the windows differ."""
    pixels = batch()
    cropped = augment(pixels, Recipe(epochs=1, crop=0.25, flip=False), seeded())
    padded = torch.nn.functional.pad(normalise(pixels), (3, 3, 3, 3), mode="reflect")
    found = []
    for image, whole in zip(cropped, padded, strict=True):
        places = [(y, x) for y in range(7) for x in range(7) if torch.equal(image, whole[:, y : y + 12, x : x + 12])]
        assert len(places) == 1
        found += places
    assert len(set(found)) > 8


def test_flip_mirrors_about_half() -> None:
    """An image is either as it was or its mirror image."""
    pixels, plain = batch(200, 8), normalise(batch(200, 8))
    mirrored = augment(pixels, Recipe(epochs=1, crop=0.0, flip=True), seeded(200))
    same = [torch.equal(one, other) for one, other in zip(mirrored, plain, strict=True)]
    turned = [torch.equal(one, other.flip(2)) for one, other in zip(mirrored, plain, strict=True)]
    assert all(one != other for one, other in zip(same, turned, strict=True))
    assert 70 < sum(same) < 130


@pytest.mark.parametrize(("crop", "flip"), [(0.1, True), (0.0, True), (0.4, False)])
def test_pixels_fetched_at_once_are_those_of_two_copies(crop: float, flip: bool) -> None:  # noqa: FBT001 — a parameter
    """What a GPU does for crop and mirror gives each image as on the CPU, from the same draws."""
    wanted = augment(batch(), Recipe(epochs=1, crop=crop, flip=flip), seeded())
    assert torch.equal(normalise(fetched(batch(), crop, flip, seeded())), wanted)


def test_erase_blanks_one_rectangle() -> None:
    """Erased images lose between a fiftieth and a third of their area, to the mean colour."""
    erased = augment(batch(64, 32), Recipe(epochs=1, crop=0.0, flip=False, erase=0.5), seeded(64))
    share = (erased == 0).all(1).float().mean((1, 2))
    assert 16 < int((share > 0.01).sum()) < 48
    assert share.max() < 0.4


def test_rectangles_have_the_asked_size() -> None:
    """A mask covers the product of both shares."""
    masks = rectangles(torch.tensor([0.5, 1.0]), torch.tensor([0.25, 1.0]), 8, 8, seeded(2), torch.device("cpu"))
    assert masks.float().mean((1, 2, 3)).tolist() == [0.125, 1.0]


@pytest.mark.parametrize("number", range(len(OPERATIONS)))
def test_operation_of_no_strength_leaves_an_image(number: int) -> None:
    """Each operation changes nothing at strength 0, and something at full strength; autocontrast has none."""
    images = batch().float() * 0.5 + 40
    still = OPERATIONS[number](images, torch.zeros(16, 1, 1, 1))
    name = OPERATIONS[number].__name__
    if name != "_autocontrast":
        assert torch.allclose(still, images.floor() if name == "_posterise" else images, atol=1e-2)
    assert not torch.allclose(OPERATIONS[number](images, torch.full((16, 1, 1, 1), 0.9)), images, atol=1)


def test_trivial_changes_each_image_in_its_own_way() -> None:
    """Most images change, within the range of pixels, and the same generator changes them alike."""
    pixels = batch(64)
    changed = change(pixels, seeded(64))
    assert torch.equal(changed, change(pixels, seeded(64)))
    assert changed.min() >= 0
    assert changed.max() <= 255
    untouched = [torch.equal(one, other) for one, other in zip(changed, pixels.float(), strict=True)]
    assert 0 < sum(untouched) < 32


def test_mixed_targets_follow_the_images() -> None:
    """Mixup and CutMix: the share of an image in the mixture is its share of the target."""
    images = torch.zeros(8, 3, 16, 16)
    images[::2] = 1.0
    labels = torch.tensor([1, 0] * 4)
    for recipe in (Recipe(epochs=1, mixup=1.0), Recipe(epochs=1, cutmix=1.0)):
        mixed, targets = mix(images, ONE.shares(labels, 2), recipe, seeded().generator)
        assert torch.allclose(mixed.mean((1, 2, 3)), targets[:, 1], atol=1e-5)
        assert torch.allclose(targets.sum(1), torch.ones(8))
        assert len(set(targets[:, 1].tolist())) > 4


def test_generator_decides_everything() -> None:
    """The same generator gives the same batch, whatever torch's global state."""
    recipe = Recipe(epochs=1, rotate=5, scale=0.1, trivial=True, erase=0.5)
    first = augment(batch(), recipe, seeded())
    torch.manual_seed(123)
    assert torch.equal(first, augment(batch(), recipe, seeded()))


def test_part_of_a_batch_is_changed_as_in_the_whole() -> None:
    """Whoever makes some images of a batch draws for all of them, so they come out the same."""
    recipe = Recipe(epochs=1, trivial=True, erase=0.5)
    rows = torch.tensor([3, 4, 11])
    for one in (recipe, replace(recipe, zoom=0.3), replace(recipe, rotate=5, scale=0.1)):
        whole = augment(batch(), one, seeded())
        part = augment(batch()[rows], one, replace(seeded(), rows=rows))
        assert torch.allclose(part, whole[rows], atol=1e-5)
        assert not torch.allclose(part, augment(batch()[rows], one, seeded(3)), atol=0.1)
