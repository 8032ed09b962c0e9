from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from sightline.images.shape import Fit, fit_of, pieces, squared


def noise(width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(width * 1000 + height)
    return Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize("fit", ["squeeze", "fold", "pad", "crop"])
def test_square_image_is_the_same_however_it_fits(fit: Fit) -> None:
    """What is square already is scaled, and nothing else."""
    wanted = np.asarray(noise(40, 40).resize((16, 16), Image.Resampling.BICUBIC))
    assert np.array_equal(squared(noise(40, 40), 16, fit), wanted)
    assert np.array_equal(squared(noise(16, 16), 16, fit), np.asarray(noise(16, 16)))


def test_squeezing_scales_each_side_by_itself() -> None:
    """As before there was any other way, to the bit."""
    wanted = np.asarray(noise(80, 20).resize((16, 16), Image.Resampling.BICUBIC))
    assert np.array_equal(squared(noise(80, 20), 16, "squeeze"), wanted)


@pytest.mark.parametrize("standing", [False, True])
def test_padding_keeps_the_shape_and_mirrors_the_edges(standing: bool) -> None:  # noqa: FBT001 — of a parametrised test
    """A strip of 4 : 1 lies in the middle as it is, and goes on at its edges as in a mirror."""
    image = noise(20, 80) if standing else noise(80, 20)
    pixels = squared(image, 16, "pad")
    strip = np.asarray(image.resize((4, 16) if standing else (16, 4), Image.Resampling.BICUBIC))
    if standing:
        pixels, strip = pixels.swapaxes(0, 1), strip.swapaxes(0, 1)
    assert pixels.shape == (16, 16, 3)
    assert np.array_equal(pixels[6:10], strip)
    assert np.array_equal(pixels[2:6], strip[::-1])
    assert np.array_equal(pixels[10:14], strip[::-1])
    assert np.array_equal(pixels[14:], strip[:2])


@pytest.mark.parametrize("standing", [False, True])
def test_folding_lays_the_pieces_side_by_side(standing: bool) -> None:  # noqa: FBT001 — of a parametrised test
    """Two halves of a strip of 4 : 1 make a square, at the scale of which nothing is squeezed."""
    image = noise(20, 80) if standing else noise(80, 20)
    whole = np.asarray(image)
    halves = (whole[:40], whole[40:]) if standing else (whole[:, :40], whole[:, 40:])
    square = Image.fromarray(np.concatenate(halves, axis=1 if standing else 0))
    assert np.array_equal(squared(image, 16, "fold"), np.asarray(square.resize((16, 16), Image.Resampling.BICUBIC)))


def test_folding_leaves_little_to_squeeze() -> None:
    """As many pieces as bring the shape nearest to a square; what is less than twice as long stays in one."""
    assert [pieces(*sides) for sides in ((1, 1), (19, 10), (10, 21), (40, 10), (10, 59), (61, 10), (900, 1))] == [
        1,
        1,
        2,
        2,
        2,
        3,
        30,
    ]


def test_cropping_takes_the_middle() -> None:
    """The largest square, scaled."""
    wanted = np.asarray(noise(80, 20).crop((30, 0, 50, 20)).resize((16, 16), Image.Resampling.BICUBIC))
    assert np.array_equal(squared(noise(80, 20), 16, "crop"), wanted)


@pytest.mark.parametrize("sides", [(1, 500), (500, 1), (3, 499), (1, 1)])
@pytest.mark.parametrize("fit", ["squeeze", "fold", "pad", "crop"])
def test_thin_images_become_square_too(sides: tuple[int, int], fit: Fit) -> None:
    """A line of single pixels is an image."""
    assert squared(noise(*sides), 16, fit).shape == (16, 16, 3)


def test_sets_with_many_long_images_are_folded() -> None:
    """From a tenth on of images more than twice as long as wide, lying or standing; photographs are squeezed."""
    photos, lying, standing = (np.array([pair]) for pair in ((400, 300), (900, 400), (400, 900)))
    sides = np.concatenate([photos.repeat(91, 0), lying.repeat(4, 0), standing.repeat(5, 0)])
    assert fit_of(sides) == "squeeze"
    assert fit_of(np.concatenate([sides, lying.repeat(2, 0)])) == "fold"
    assert fit_of(np.array([[1920, 1080]]).repeat(50, 0)) == "squeeze"
    assert fit_of(np.empty((0, 2), dtype=np.int64)) == "squeeze"
