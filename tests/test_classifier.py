"""Tests of answers from Python: whatever holds an image is answered as its file is."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from answering import version
from bundles import file, odd_images, photo
from PIL import Image

from sightline.classifier import Classifier
from sightline.images.reading import UnreadableImage

if TYPE_CHECKING:
    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    """A small network with random weights."""
    return Classifier("1", version("1").predictor)


def picture(data: bytes) -> Image.Image:
    """As Pillow opens it, not read yet."""
    return Image.open(io.BytesIO(data))


def one(classifier: Classifier, given: Any) -> float:
    """The probability of the answer for an image."""
    (answer,) = classifier.predict(given)
    return answer.probability


def test_pictures_are_answered_as_their_files(classifier: Classifier) -> None:
    """Upright, transparency over white, whatever the mode; what PNG lacks too, and the picture stays as it was."""
    asked = {name: data for name, data in odd_images().items() if picture(data).format != "JPEG"}
    colours = picture(asked["clear.png"]).convert("RGB")
    turned = Image.Exif()
    turned[0x0112] = 6
    asked |= {f"{mode}.tif": file(colours.convert(mode), "TIFF") for mode in ("CMYK", "YCbCr", "LAB")}
    asked |= {"turned.png": file(colours, exif=turned), "deep.ppm": b"P5 2 2 65535 " + bytes(range(8))}
    for name, data in asked.items():
        given = picture(data)
        size = given.size
        assert one(classifier, given) == pytest.approx(one(classifier, data), abs=1e-6), name
        assert (given.size, given.mode) == (size, picture(data).mode)
    photos = {name: data for name, data in odd_images().items() if name in {"turned.jpg", "cmyk.jpg"}}
    for data in photos.values():
        # A file is read at an eighth of its size.
        assert one(classifier, picture(data)) == pytest.approx(one(classifier, data), abs=0.02)
    for way in (("P", "PA"), ("RGBA", "RGBa"), ("RGBX",), ("HSV",)):
        given = colours
        for mode in way:
            given = given.convert(mode)
        assert one(classifier, given) == pytest.approx(one(classifier, colours), abs=0.02)


def test_bytes_and_arrays_are_answered_as_files(classifier: Classifier) -> None:
    """In whatever they lie; a grey image with one channel is one."""
    pixels = photo(1)
    data = file(Image.fromarray(pixels))
    grey, deep = pixels[..., 0], pixels[..., 0].astype(np.uint16) * 257
    for given in (bytearray(data), memoryview(data), pixels, [pixels]):
        assert one(classifier, given) == one(classifier, data)
    for shade in (grey, grey[..., None], deep, deep.astype(">u2")):
        assert one(classifier, shade) == pytest.approx(one(classifier, file(Image.fromarray(grey))), abs=1e-6)


@pytest.mark.parametrize(
    "given",
    [
        photo(1) / 255,
        photo(1).astype(np.int64),
        photo(1)[..., 0].astype(np.float32),
        photo(1)[..., 0].astype(np.int32),
        photo(1)[None],
        photo(1)[:0],
        np.zeros((4, 4, 5), np.uint8),
    ],
)
def test_other_arrays_are_refused_in_a_sentence(given: NDArray[Any], classifier: Classifier) -> None:
    """Which says what the array is, and what is taken."""
    with pytest.raises(UnreadableImage) as refused:
        classifier.predict(given)
    assert all(word in str(refused.value) for word in (str(given.dtype), str(given.shape), "uint8 (H, W, 3)", "list"))


def test_what_is_no_image_is_refused_in_a_sentence(classifier: Classifier) -> None:
    """Numbers, pictures of 32 bits and pictures that cannot be read."""
    with pytest.raises(UnreadableImage, match="'int' is not taken for an image"):
        classifier.predict([3])  # type: ignore[list-item]
    with pytest.raises(UnreadableImage, match="pixel mode F"):
        classifier.predict(Image.new("F", (4, 4)))
    with pytest.raises(UnreadableImage, match="damaged pixels: image file is truncated"):
        classifier.predict(picture(odd_images()["cmyk.jpg"][:-900]))
