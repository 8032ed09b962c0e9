"""What the files of a set have in common: how deep its 16-bit images are, and which hold more than one picture."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import bundles
import numpy as np
import pytest
from conftest import make_images
from PIL import Image

from sightline import project
from sightline.config import write_value
from sightline.data import ingest, shards, traits
from sightline.data.traits import Traits
from sightline.errors import DataError, ModelError
from sightline.images import reading
from sightline.images.reading import WHITE, UnreadableImage, decode, white_of
from sightline.models.predictor import Predictor

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


def deep(seed: int, top: int, side: int = 24) -> bytes:
    """A 16-bit image whose brightest level is `top`."""
    levels = np.random.default_rng(seed).integers(0, top + 1, (side, side), dtype=np.uint16)
    levels[0, 0] = top
    out = io.BytesIO()
    Image.fromarray(levels).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def dim(toy: Paths) -> Paths:
    """A toy project all of whose images come from a camera of 12 bits."""
    for number, path in enumerate(sorted(toy.raw("target").rglob("*.png"))):
        path.write_bytes(deep(number, 4095 if number == 7 else 3000))
    return toy


def test_a_camera_of_twelve_bits_uses_the_range(dim: Paths) -> None:
    """The set's brightest image decides what is white, for shards and served pixels alike; it is told."""
    ingest.ingest(dim, "target")
    found = traits.read(dim.traits("target"))
    assert found == Traits(white=4095)
    assert found.sentences() == ["16-bit images use 12 bits: level 4,095 is white"]
    index = shards.preprocess(dim, "target")
    assert index.white == shards.read_index(dim.shards("target")).white == 4095
    first = np.load(dim.shards("target") / f"{index.of('train')[0].name}.npy")[0]
    assert first.max() > 100
    served = [decode(path.read_bytes(), index.size, white=index.white) for path in dim.raw("target").rglob("*.png")]
    assert any(np.array_equal(first, one) for one in served)


def test_a_brighter_image_makes_all_shards_anew(dim: Paths) -> None:
    """White is one for the whole set: pixels of before would be of another scale."""
    ingest.ingest(dim, "target")
    before = {one.name: one.key for one in shards.preprocess(dim, "target").shards}
    (dim.raw("target") / "red" / "bright.png").write_bytes(deep(1, 9000))
    ingest.ingest(dim, "target")
    after = shards.preprocess(dim, "target")
    assert after.white == 16383
    assert not {one.name for one in after.shards if before.get(one.name) == one.key}


def test_plain_images_leave_no_trace(toy: Paths) -> None:
    """Sets of 8 bits, and of whole 16, are the versions that they were: no file more, no word in the index."""
    (toy.raw("target") / "red" / "0000.png").write_bytes(deep(1, 65535))
    ingest.ingest(toy, "target")
    shards.preprocess(toy, "target")
    assert not toy.traits("target").exists()
    assert "white" not in json.loads((toy.shards("target") / shards.INDEX).read_text())


@pytest.mark.parametrize(
    ("top", "white"), [(0, 255), (200, 255), (1023, 1023), (1024, 2047), (4000, 4095), (65535, WHITE)]
)
def test_white_is_what_the_bits_hold(top: int, white: int) -> None:
    """8 bits at least, 16 at most."""
    assert white_of(top) == white


def test_whole_sixteen_bits_are_scaled_as_ever() -> None:
    """Divided by 257, to the bit."""
    data = deep(3, 65535)
    levels = np.asarray(Image.open(io.BytesIO(data)))
    assert np.array_equal(decode(data, 24)[..., 0], levels // 257)


def test_served_pixels_are_of_the_same_white(tmp_path: Path) -> None:
    """A bundle keeps the white of its set; brighter levels are white; older bundles know none."""
    bundle = bundles.write(tmp_path)
    predictor = Predictor.load(bundle)
    assert predictor.card.white == WHITE
    twelve = Predictor(replace(predictor.card, white=4095), predictor.model)
    data = deep(5, 4095, bundles.SIZE)
    assert np.array_equal(twelve.decode(data), decode(data, bundles.SIZE, white=4095))
    assert twelve.decode(deep(5, 60_000, bundles.SIZE)).max() == 255
    assert predictor.decode(data).max() < 16
    card = json.loads((bundle / "bundle.json").read_text())
    for wrong in (0, 70_000, 1.5):
        (bundle / "bundle.json").write_text(json.dumps(card | {"white": wrong}))
        with pytest.raises(ModelError, match="is no level of 16 bits"):
            Predictor.load(bundle)


def test_the_limit_of_the_project_reaches_the_predictor(tmp_path: Path) -> None:
    """By itself a bundle takes the limit of the project that made it; in a project its present limit counts."""
    bundle = bundles.write(tmp_path)
    out = io.BytesIO()
    Image.new("L", (6000, 5000)).save(out, "PNG")
    with pytest.raises(UnreadableImage, match="6000×5000 pixels are above the limit of 25 megapixels"):
        Predictor.load(bundle).predict([out.getvalue()])
    assert Predictor.load(bundle, 60e6).predict([out.getvalue()])
    with pytest.raises(UnreadableImage, match=r"above the limit of 0\.0001 megapixels"):
        Predictor.load(bundle, 100).predict([bundles.file(Image.fromarray(bundles.photo(1)))])


def test_pages_behind_the_first_are_told(toy: Paths) -> None:
    """A scan of three pages and an animation are their first picture; a phone's second picture is none."""
    folder, pages = toy.raw("target") / "red", [Image.new("RGB", (20, 20), (9 * n, 90, 200)) for n in range(1, 4)]
    pages[0].save(folder / "scan.tif", save_all=True, append_images=pages[1:])
    pages[1].save(folder / "moving.gif", save_all=True, append_images=pages[2:])
    pages[2].save(folder / "phone.mpo", save_all=True, append_images=pages[:1])
    ingest.ingest(toy, "target")
    assert traits.read(toy.traits("target")).sentences() == [
        "2 files hold several pages or frames, the first alone is used: red/moving.gif, red/scan.tif"
    ]
    for name in ("scan.tif", "moving.gif"):
        (folder / name).unlink()
    ingest.ingest(toy, "target")
    assert not toy.traits("target").exists()


def test_damaged_traits_are_told(tmp_path: Path) -> None:
    """Another white would be another scale of every pixel."""
    (tmp_path / "traits.json").write_text("{}")
    with pytest.raises(DataError, match=r"traits.json is damaged .*sightline run"):
        traits.read(tmp_path / "traits.json")


def test_photos_are_read_once_the_library_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An HEIC photo without its library is named with the remedy; the cache knows that it was missing."""
    pytest.importorskip("pillow_heif").register_heif_opener()
    folder = make_images(tmp_path / "set", per_class=2)
    Image.new("RGB", (40, 30), (200, 30, 30)).save(folder / "red" / "photo.heic")
    monkeypatch.setattr(reading, "has_heif", lambda: False)
    with pytest.raises(UnreadableImage, match=r"an HEIC photo: `pip install 'sightline\[heif\]'` reads it"):
        decode((folder / "red" / "photo.heic").read_bytes(), 8)
    without = reading.libraries()
    monkeypatch.undo()
    assert sorted(reading.libraries()) != sorted(without)
    assert np.allclose(decode((folder / "red" / "photo.heic").read_bytes(), 8)[4, 4], (200, 30, 30), atol=9)


def test_the_limit_of_the_project_counts_everywhere(toy: Paths) -> None:
    """An image above the usual limit, which the project allows, goes through ingesting and to the shards."""
    write_value(toy.root, "ingest.max_megapixels", 40)
    Image.new("L", (6000, 5000), 90).save(toy.raw("target") / "red" / "large.png")
    paths = project.Paths(toy.root)
    rows = ingest.ingest(paths, "target").set_index("path")
    assert rows.loc["red/large.png", "status"] == "ok"
    assert shards.preprocess(paths, "target").count("train")
