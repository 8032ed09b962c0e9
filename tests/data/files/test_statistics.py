from __future__ import annotations

import numpy as np
import pytest
from pictures import picture
from PIL import Image, ImageFilter

from sightline.data.files.statistics import COLUMNS, SIDE, THUMBNAIL, statistics


def bits_apart(first: Image.Image, second: Image.Image) -> int:
    """Bits in which the hashes of two images differ."""
    one, other = (int(statistics(image.convert("L"))["phash"], 16) for image in (first, second))
    return (one ^ other).bit_count()


def test_statistics_are_the_columns_and_a_thumbnail() -> None:
    """Nothing else reaches the manifest."""
    found = statistics(picture().convert("L"))
    assert set(found) == {*COLUMNS, THUMBNAIL}
    assert len(found[THUMBNAIL]) == SIDE * SIDE
    assert found["camera"] is None


def test_levels_of_a_known_image() -> None:
    """Half black, half white: mean one half, spread one half, one bit per pixel."""
    pixels = np.zeros((64, 64), dtype=np.uint8)
    pixels[:, 32:] = 255
    found = statistics(Image.fromarray(pixels))
    assert (found["brightness"], found["contrast"], found["entropy"]) == (0.5, 0.5, 1.0)
    assert (found["dark_end"], found["bright_end"]) == (0.0, 1.0)


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (5000, 3)])
def test_an_even_image_has_no_contrast_whatever_its_size(size: tuple[int, int]) -> None:
    """The smallest and the oddest images have statistics too."""
    found = statistics(Image.new("L", size, 90))
    assert found["contrast"] == found["entropy"] == found["sharpness"] == 0.0


def test_blur_lowers_the_sharpness() -> None:
    """A blurred image is less than a quarter as sharp."""
    sharp = picture().convert("L")
    assert statistics(sharp.filter(ImageFilter.GaussianBlur(3)))["sharpness"] < statistics(sharp)["sharpness"] / 4


def test_the_hash_bears_a_smaller_size_but_tells_pictures_apart() -> None:
    """At half the size a few bits of 63 differ, between pictures about half of them."""
    assert bits_apart(picture(1), picture(1).resize((64, 64), Image.Resampling.BILINEAR)) <= 4
    assert bits_apart(picture(1), picture(2)) > 15


def test_the_camera_is_read_from_exif() -> None:
    """Maker and model, without padding."""
    image = picture().convert("L")
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Acme\0", "Eye 2 "
    image.info["exif"] = exif.tobytes()
    assert statistics(image)["camera"] == "Acme Eye 2"
