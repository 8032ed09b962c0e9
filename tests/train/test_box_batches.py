"""Augmentation with boxes: they end where their pixels do, whatever was drawn."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.heads.targets import CLASS, CROWD, DIFFICULT, KIND, OBJECT, empty, trimmed
from sightline.images.normalise import MEAN, STD
from sightline.recipe import Recipe
from sightline.train.boxes import augment_located, follow
from sightline.train.draws import Draws

SIDE, CORNER = 64, 5
COLOURS = torch.tensor([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255], [255, 0, 255]])
"""One for each image, and so for its box: that it is seen in a mosaic tells where it came from."""


def painted(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Dark images, each with a box whose four corners are painted in a colour of its own, and the targets."""
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.zeros(len(COLOURS), 3, SIDE, SIDE, dtype=torch.uint8)
    targets = empty(len(COLOURS), 2)
    for number, colour in enumerate(COLOURS):
        low = torch.randint(0, SIDE - 24, (2,), generator=generator)
        x1, y1, x2, y2 = [*low.tolist(), *(low + torch.randint(20, 25, (2,), generator=generator)).tolist()]
        for top in (y1, y2 - CORNER):
            for left in (x1, x2 - CORNER):
                pixels[number, :, top : top + CORNER, left : left + CORNER] = colour.view(3, 1, 1).to(torch.uint8)
        targets[number, 0] = torch.tensor([x1, y1, x2, y2, number, OBJECT])
    return pixels.contiguous(memory_format=torch.channels_last), targets


def extents(image: torch.Tensor, colour: torch.Tensor) -> list[float] | None:
    """Left, top, right and bottom edge of what has a colour, of a normalised image."""
    shown = image * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)
    like = ((shown - colour.view(3, 1, 1) / 255).abs() < 0.5).all(0)
    rows, columns = like.nonzero(as_tuple=True)
    if not len(rows):
        return None
    return [float(columns.min()), float(rows.min()), float(columns.max()) + 1, float(rows.max()) + 1]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), zoom=st.sampled_from([0.0, 0.3, 0.6, 1.0]), flip=st.booleans())
def test_boxes_end_where_their_painted_corners_do(seed: int, zoom: float, flip: bool) -> None:  # noqa: FBT001
    """After every augmentation each box is around the painted corners that are left of it, to a pixel."""
    pixels, targets = painted(seed)
    draws = Draws(torch.Generator().manual_seed(seed), len(pixels))
    images, moved = augment_located(pixels, targets, Recipe(epochs=1, zoom=zoom, flip=flip), draws)
    assert images.shape == pixels.shape
    for image, boxes in zip(images, moved, strict=True):
        for number, colour in enumerate(COLOURS):
            seen = extents(image, colour)
            if seen and min(seen[2] - seen[0], seen[3] - seen[1]) > 3:
                assert number in boxes[:, CLASS], "a box was lost"
        for row in boxes:
            if row[CLASS] < 0:
                continue
            x1, y1, x2, y2 = row[:CLASS].tolist()
            assert 0 <= x1 < x2 <= SIDE
            assert 0 <= y1 < y2 <= SIDE
            seen = extents(image, COLOURS[int(row[CLASS])])
            if seen is None or row[KIND] != OBJECT:
                continue
            cut = [x1 <= 0, y1 <= 0, x2 >= SIDE, y2 >= SIDE]
            for place, (edge, wanted) in enumerate(zip(seen, (x1, y1, x2, y2), strict=True)):
                # An edge shows where one of its two corners does.
                if not cut[place] and not (cut[(place + 1) % 4] and cut[(place + 3) % 4]):
                    assert edge == pytest.approx(wanted, abs=1.5)


def test_nothing_asked_for_changes_nothing() -> None:
    """Without zoom and mirror the boxes stay."""
    pixels, targets = painted(0)
    draws = Draws(torch.Generator().manual_seed(0), len(pixels))
    _, moved = augment_located(pixels, targets, Recipe(epochs=1, flip=False), draws)
    assert torch.equal(moved[:, 0], targets[:, 0])


def test_colours_move_nothing() -> None:
    """TrivialAugment's changes of colour leave every edge where it is."""
    pixels, targets = painted(3)
    draws = Draws(torch.Generator().manual_seed(4), len(pixels))
    images, moved = augment_located(pixels, targets, Recipe(epochs=1, flip=False, trivial=True), draws)
    assert torch.equal(moved[:, 0], targets[:, 0])
    for image, box in zip(images, targets[:, 0], strict=True):
        x1, y1, x2, y2 = (int(edge) for edge in box[:CLASS])
        inside = image[:, y1:y2, x1:x2]
        beyond = image.clone()
        beyond[:, y1 - 1 : y2 + 1, x1 - 1 : x2 + 1] = image[:, -1:, :1]
        assert inside.std() > 0
        assert beyond.flatten(1).std(1).max() < 1e-4


def test_half_of_the_images_become_mosaics() -> None:
    """A mosaic shows boxes of other images, and the generator alone decides."""
    pixels, targets = painted(1)
    found = []
    for seed in range(30):
        draws = Draws(torch.Generator().manual_seed(seed), len(pixels))
        _, moved = augment_located(pixels, targets, Recipe(epochs=1, zoom=0.5, flip=False), draws)
        found += [set(boxes[boxes[:, CLASS] >= 0][:, CLASS].tolist()) - {number} for number, boxes in enumerate(moved)]
    share = sum(bool(others) for others in found) / len(found)
    assert 0.3 < share < 0.6
    again = Draws(torch.Generator().manual_seed(29), len(pixels))
    assert torch.equal(augment_located(pixels, targets, Recipe(epochs=1, zoom=0.5, flip=False), again)[1], moved)


def test_what_is_cut_off() -> None:
    """A box of which little is left is not learned, one of which nothing is left is gone; crowds stay crowds."""
    targets = empty(1, 5)
    targets[0, 0] = torch.tensor([0, 0, 10, 10, 0, OBJECT])
    targets[0, 1] = torch.tensor([-1, 20, 39, 30, 1, OBJECT]).float()
    targets[0, 2] = torch.tensor([50, 50, 60, 60, 2, OBJECT])
    targets[0, 3] = torch.tensor([0, 28, 40, 40, 3, CROWD])
    targets[0, 4] = torch.tensor([20, 20, 28, 28, 4, OBJECT])
    found = follow(targets, torch.tensor([[8, 8, 32, 32]]), 64)
    assert found[0, :, CLASS].tolist() == [0, 1, -1, 3, 4]
    assert found[0, [0, 1, 3, 4], KIND].tolist() == [DIFFICULT, OBJECT, CROWD, OBJECT]
    assert found[0, 4, :CLASS].tolist() == [24, 24, 40, 40]
    assert trimmed(found).shape == (1, 4, 6)
