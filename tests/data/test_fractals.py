"""Images made by formulas: the same everywhere, as many as are asked for, and of classes that can be told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
import pytest
from PIL import Image

from sightline.data import embedded
from sightline.data.embedded import exact, formulas, fractals
from sightline.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

KNOWN = {0: 3079009969, 1: 4023276640, 2: 2661913273, 3: 1756035175, 4: 462961819}
"""Class → checksum of its first images, with whatever vector instructions a processor has."""


def _tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}


@pytest.mark.parametrize("label", range(len(formulas.KINDS)))
def test_images_are_the_same_on_every_machine(label: int) -> None:
    """The first images of a class of each kind have the bytes that they had when this was written."""
    assert crc32(fractals.block(label, 0).tobytes()) == KNOWN[label]


def test_more_images_begin_with_the_same_ones(tmp_path: Path) -> None:
    """As many classes and images as are asked for are written; those of a smaller set are in a larger one, too."""
    assert embedded.write("embedded:fractals:2x3", tmp_path / "few") == 6
    assert embedded.write("embedded:fractals:3x52", tmp_path / "many") == 156
    few, many = _tree(tmp_path / "few"), _tree(tmp_path / "many")
    assert set(few) == {f"000{label}/000{number}.png" for label in range(2) for number in range(3)}
    assert len(many) == len(set(many.values())) == 156
    assert few.items() <= many.items()
    with Image.open(tmp_path / "few" / "0001" / "0002.png") as image:
        assert (image.mode, image.size) == ("RGB", (64, 64))


def test_classes_can_be_told_apart_and_are_not_too_easy() -> None:
    """A linear rule on small grey pictures is right more often than by chance, and far from always."""
    from sklearn.linear_model import RidgeClassifier

    small = np.concatenate([fractals.block(label, 0)[:, ::8, ::8].reshape(50, -1) for label in range(20)]) / 255
    labels, rows = np.repeat(np.arange(20), 50), np.arange(1000) % 50 < 40
    right = RidgeClassifier(100).fit(small[rows], labels[rows]).score(small[~rows], labels[~rows])
    assert 0.1 < right < 0.8


def test_every_image_shows_something() -> None:
    """No image is of one tone, and about as many as asked for carry no colour."""
    images = np.concatenate([fractals.block(label, 0) for label in range(20)])
    assert images.std((1, 2)).max(1).min() > 3
    grey = (np.ptp(images, axis=3) == 0).all((1, 2)).mean()
    assert abs(grey - fractals.GREY) < 0.06


def test_table_of_cosines_is_near_the_real_ones() -> None:
    """Cosine, sine and direction from the table are right to four digits, for whole turns forward and back."""
    turns = np.linspace(-3, 3, 1001, dtype=np.float32)
    assert np.abs(exact.cos(turns) - np.cos(2 * np.pi * turns)).max() < 2e-3
    assert np.abs(exact.sin(turns) - np.sin(2 * np.pi * turns)).max() < 2e-3
    x, y = exact.cos(turns), exact.sin(turns)
    assert np.abs(exact.cos(exact.angle(x, y)) - x).max() < 2e-3


@pytest.mark.parametrize(
    "name", ["embedded:fractals:", "embedded:fractals:0x5", "embedded:fractals:5", "embedded:fractal"]
)
def test_name_that_means_nothing_is_told(name: str, tmp_path: Path) -> None:
    """A number of images that cannot be read is an error that shows how to ask for one."""
    with pytest.raises(DataError, match="CLASSESxIMAGES"):
        embedded.write(name, tmp_path)
