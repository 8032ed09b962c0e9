"""Images in a square: their sides keep their ratio, and boxes come back to where they were."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from sightline.images.letterbox import letterbox
from sightline.images.placement import GROUND, Placement


def file_of(image: Image.Image, name: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, name, **options)
    return out.getvalue()


def spot(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    """A white box on black."""
    image = Image.new("RGB", size)
    image.paste("white", box)
    return image


def extent(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> list[int]:
    """Left, top, right and bottom edge of what is white."""
    rows, columns = np.nonzero(pixels.min(axis=2) > 127)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@pytest.mark.parametrize("size", [(200, 100), (90, 270), (64, 64), (333, 100), (20, 10)])
@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_boxes_lie_where_their_pixels_do(size: tuple[int, int], form: str) -> None:
    """A box of the image is around the same pixels in the square, whatever the ratio of the sides."""
    width, height = size
    box = (width // 5, height // 4, width * 3 // 5, height * 3 // 4)
    square, place = letterbox(file_of(spot(size, box), form), 64)
    assert square.shape == (64, 64, 3)
    there = place.into(np.array([box], dtype=float))
    assert there[0] == pytest.approx(extent(square), abs=1)
    assert place.back(there)[0] == pytest.approx(box)
    outside = np.ones((64, 64), dtype=bool)
    left, top = place.corner
    outside[top : top + place.sides[1], left : left + place.sides[0]] = False
    assert (square[outside] == GROUND).all()


def test_an_image_on_its_side_stands_up(tmp_path: object) -> None:  # noqa: ARG001
    """Boxes are those of the upright image, as its pixels are."""
    turned = Image.Exif()
    turned[0x0112] = 6
    data = file_of(spot((200, 100), (20, 10, 60, 30)), "JPEG", exif=turned)
    square, place = letterbox(data, 50)
    assert (place.width, place.height) == (100, 200)
    assert extent(square) == pytest.approx(place.into(np.array([[70.0, 20.0, 90.0, 60.0]]))[0], abs=1)


def test_answers_are_cut_to_the_image() -> None:
    """What reaches into the ground is cut where the image ends."""
    place = Placement(width=200, height=100, size=50)
    assert place.back(np.array([[-5.0, 0.0, 60.0, 50.0]])).tolist() == [[0.0, 0.0, 200.0, 100.0]]
