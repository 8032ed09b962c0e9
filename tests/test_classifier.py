"""Tests of answers from Python: whatever holds an image is answered as its file is."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from answering import version
from bundles import file, odd_images, photo
from PIL import Image

from sightline.classifier import Classifier
from sightline.images.reading import UnreadableImage

if TYPE_CHECKING:
    from pathlib import Path

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


def test_bytes_of_a_file_in_an_array_are_no_pixels(classifier: Classifier, tmp_path: Path) -> None:
    """As `np.fromfile`, `np.frombuffer` and OpenCV's `imencode` give them, alone and in a list."""
    data = file(Image.fromarray(photo(1)))
    (tmp_path / "photo.png").write_bytes(data)
    for given in (np.fromfile(tmp_path / "photo.png", np.uint8), np.frombuffer(data, np.uint8)):
        assert one(classifier, given) == one(classifier, [given]) == one(classifier, data)
    with pytest.raises(UnreadableImage, match="not an image"):
        classifier.predict(photo(1).ravel())


def test_open_files_are_answered(classifier: Classifier, tmp_path: Path) -> None:
    """From their start, wherever they stand; one that is open for text is refused with the remedy."""
    data = file(Image.fromarray(photo(1)))
    (tmp_path / "photo.png").write_bytes(data)
    written = io.BytesIO()
    Image.fromarray(photo(1)).save(written, "PNG")
    with (tmp_path / "photo.png").open("rb") as handle:
        assert one(classifier, handle) == one(classifier, [handle]) == one(classifier, written) == one(classifier, data)
    with pytest.raises(UnreadableImage, match="'StringIO' reads 'str': open the file with mode 'rb'"):
        classifier.predict(io.StringIO("photo"))


def test_of_many_images_the_unreadable_one_is_named(classifier: Classifier, tmp_path: Path) -> None:
    """By its path; what has none by its place in the list, be it read or not even taken."""
    good, bad = file(Image.fromarray(photo(1))), tmp_path / "notes.png"
    bad.write_bytes(b"hello")
    many = [good] * 70
    asked: list[Any] = [bad, str(bad), [good, bad], [*many, str(bad)]]
    for given in asked:
        with pytest.raises(UnreadableImage, match=re.escape(f"{bad}: not an image")):
            classifier.predict(given)
    for one_bad in (b"hello", io.BytesIO(b"hello")):
        with pytest.raises(UnreadableImage, match=r"^image 71 of 72: not an image"):
            classifier.predict([*many, one_bad, good])
    with pytest.raises(UnreadableImage, match=r"^image 2 of 2: an array float64"):
        classifier.predict([good, photo(1) / 255])  # type: ignore[list-item]
    with pytest.raises(UnreadableImage, match=r"^not an image"):
        classifier.predict(b"hello")


@pytest.mark.parametrize("given", [{"image": b""}, pd.DataFrame({"image": ["photo.png"]}), None, 3])
def test_what_is_no_list_is_refused_in_a_sentence(given: Any, classifier: Classifier) -> None:
    """A table or a dict is not taken for the names of its columns."""
    with pytest.raises(
        UnreadableImage, match=f"'{type(given).__name__}' is not taken: give a path, .*or a list of them"
    ):
        classifier.predict(given)


def test_table_has_its_columns_without_an_answer(classifier: Classifier) -> None:
    """The same ones, so that a program need not ask whether there are answers."""
    full = classifier.to_pandas(classifier.predict(photo(1)))
    empty = classifier.to_pandas(classifier.predict([]))
    assert (len(full), len(empty)) == (1, 0)
    assert [*empty] == [*full]
    assert [*empty][-3:] == ["p(blue)", "p(green)", "p(red)"]


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
        photo(1)[..., :2],
        photo(1)[..., 0] > 100,
        photo(1).astype(np.uint16),
        photo(1)[0, :, 0].astype(np.uint16),
        np.ones((), np.uint8),
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
