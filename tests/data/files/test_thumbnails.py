from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from conftest import make_images

from sightline.data.contents import read_files, read_layout
from sightline.data.files import thumbnails
from sightline.data.files.statistics import THUMBNAIL
from sightline.params import Ingest

if TYPE_CHECKING:
    from pathlib import Path


def one(level: int) -> bytes:
    """A thumbnail of one grey level."""
    return bytes([level]) * thumbnails.SIZE


def test_numbers_stay_and_a_torn_tail_goes(tmp_path: Path) -> None:
    """What a killed run left half written is overwritten by the next thumbnail."""
    shelf = tmp_path / "set.thumbnails"
    assert thumbnails.mapped(shelf).shape == (0, 32, 32)
    with thumbnails.adding(shelf) as add:
        assert [add(one(1)), add(one(2))] == [0, 1]
    with shelf.open("ab") as file:
        file.write(b"torn")
    with thumbnails.adding(shelf) as add:
        assert add(one(3)) == 2
    assert thumbnails.mapped(shelf)[:, 0, 0].tolist() == [1, 2, 3]


def test_squeezing_keeps_what_is_used(tmp_path: Path) -> None:
    """Rows without a thumbnail stay without."""
    shelf = tmp_path / "set.thumbnails"
    with thumbnails.adding(shelf) as add:
        for level in range(5):
            add(one(level))
    numbers = pd.Series([4, None, 1], index=[7, 8, 9], dtype="Int64")
    renamed = thumbnails.squeeze(shelf, numbers)
    assert renamed.tolist() == [0, pd.NA, 1]
    assert thumbnails.mapped(shelf)[:, 0, 0].tolist() == [4, 1]


@pytest.mark.parametrize("harm", ["lost", "cut"])
def test_lost_thumbnails_are_made_again(tmp_path: Path, harm: str) -> None:
    """Facts whose thumbnails are gone are not believed: the files are read once more."""
    folder, known = make_images(tmp_path / "images", per_class=2), tmp_path / "facts.parquet"
    shelf = thumbnails.beside(known)
    first = read_files(read_layout(folder), folder, Ingest(), known)
    before = np.array(thumbnails.mapped(shelf)[first[THUMBNAIL].to_numpy(dtype=int)])
    if harm == "lost":
        shelf.unlink()
    else:
        shelf.write_bytes(shelf.read_bytes()[: thumbnails.SIZE])
    again = read_files(read_layout(folder), folder, Ingest(), known)
    np.testing.assert_array_equal(thumbnails.mapped(shelf)[again[THUMBNAIL].to_numpy(dtype=int)], before)
