"""Tests of the data sets that need no download."""

from __future__ import annotations

from collections import Counter
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from sightline.data import embedded
from sightline.data.embedded import characters
from sightline.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The written digits."""
    folder = tmp_path_factory.mktemp("digits")
    assert embedded.write("embedded:digits", folder) == 1797
    return folder


@pytest.fixture(scope="module")
def glyphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The written glyphs."""
    folder = tmp_path_factory.mktemp("glyphs")
    assert embedded.write("embedded:glyphs", folder) == 5400
    return folder


def _tree(folder: Path) -> dict[str, str]:
    paths = sorted(folder.rglob("*.png"))
    return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in paths}


def _pixels(folder: Path) -> np.ndarray:
    images = []
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as image:
            assert (image.mode, image.size) == ("L", (32, 32))
            images.append(np.asarray(image))
    return np.stack(images)


def test_digits_are_the_real_ones(digits: Path) -> None:
    """Each digit lies in its class folder under its index in scikit-learn's set, dark where that one is dark."""
    from sklearn.datasets import load_digits

    real = load_digits()
    names = {f"{label}/{number:04d}.png" for number, label in enumerate(real.target)}
    assert set(_tree(digits)) == names
    with Image.open(digits / str(real.target[1234]) / "1234.png") as image:
        shrunk = np.asarray(image.resize((8, 8), Image.Resampling.BOX), float)
    assert np.corrcoef(shrunk.ravel(), real.images[1234].ravel())[0, 1] > 0.95


def test_glyphs_are_36_classes_of_150(glyphs: Path) -> None:
    """Every printed character has its folder of 150 images, numbered from 0000."""
    counts = Counter(path.split("/")[0] for path in _tree(glyphs))
    assert counts == dict.fromkeys(characters.CHARACTERS, 150)
    assert sorted(path.name for path in (glyphs / "Q").iterdir()) == [f"{number:04d}.png" for number in range(150)]


@pytest.mark.slow
def test_glyphs_are_the_same_on_every_run(glyphs: Path, tmp_path: Path) -> None:
    """A second run writes the same bytes."""
    embedded.write("embedded:glyphs", tmp_path)
    assert _tree(tmp_path) == _tree(glyphs)


def test_no_two_glyphs_are_equal(glyphs: Path) -> None:
    """No image appears twice, so none can carry two labels nor stand on two sides of a split."""
    digests = _tree(glyphs).values()
    assert len(set(digests)) == len(digests)


def test_glyphs_look_like_the_digits(digits: Path, glyphs: Path) -> None:
    """Ink is bright on black, reaches from the top to the bottom, and covers about as much as in the digits."""
    real, printed = _pixels(digits), _pixels(glyphs)
    assert abs(real.mean() - printed.mean()) < 0.1 * real.mean()
    assert abs((real == 0).mean() - (printed == 0).mean()) < 0.1
    for pixels in (real, printed):
        assert (pixels[:, :4].max((1, 2)) > 0).mean() > 0.99
        assert (pixels[:, -4:].max((1, 2)) > 0).mean() > 0.99
        assert np.median(pixels[:, :, 0]) == 0


def test_unknown_name_lists_the_known(tmp_path: Path) -> None:
    """An unknown name is an error that lists the known ones and writes nothing."""
    with pytest.raises(DataError, match=r"embedded:cats.*embedded:digits, embedded:glyphs"):
        embedded.write("embedded:cats", tmp_path)
    assert not list(tmp_path.iterdir())
