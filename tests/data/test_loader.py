"""Shards in memory, mapped, and as JPEGs: the same images, whatever holds them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import COLOURS, draw
from PIL import Image

from sightline.config import write_value
from sightline.data import loader, manifest, shards
from sightline.data.ingest import ingest
from sightline.data.loader import Compressed, Mapped, load
from sightline.data.roles import split
from sightline.data.shards import preprocess
from sightline.errors import DataError
from sightline.images import jpeg
from sightline.params import Preprocess
from sightline.project import Paths

if TYPE_CHECKING:
    from functools import partial
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Toys fill several shards."""
    monkeypatch.setattr(split, "SHARD_ROWS", 16)


def ready(toy: Paths, **values: str) -> Path:
    """The shard folder of the toys, with these values of `preprocess`."""
    for name, value in values.items():
        write_value(toy.root, f"preprocess.{name}", value)
    # Parameters are read once.
    paths = Paths(toy.root)
    ingest(paths, "target")
    preprocess(paths, "target")
    return paths.shards("target")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.npy")}


def scene(seed: int, side: int = 64) -> NDArray[np.uint8]:
    """A smooth picture, as photos are: noise of a few points, enlarged."""
    points = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(points).resize((side, side), Image.Resampling.BICUBIC))


def test_mapped_images_are_those_in_memory(toy: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """A set too large for its share of memory stays on the disk and gives the same tensors, be it an empty one."""
    folder = ready(toy)
    held = load(folder, "train")
    monkeypatch.setattr(loader, "MEMORY_SHARE", 0.0)
    mapped = load(folder, "train")
    assert isinstance(mapped.pixels, Mapped)
    assert isinstance(held.pixels, torch.Tensor)
    assert len(list(folder.glob("train-*.labels.npy"))) > 3
    assert torch.equal(held.labels, mapped.labels)
    rows = torch.randperm(len(held), generator=torch.Generator().manual_seed(0))
    assert torch.equal(held.take(rows), mapped.take(rows))
    assert held.take(rows).stride() == mapped.take(rows).stride()
    assert torch.equal(torch.cat(list(mapped.pixels.split(7))), held.pixels)
    nobody = load(folder, "nobody")
    assert (len(nobody), nobody.take(torch.arange(0)).shape) == (0, (0, 3, 16, 16))
    for some in (3, slice(2, 40, 5), [1, 30, 1], torch.tensor([50, 0])):
        assert torch.equal(mapped.pixels[some], held.pixels[some])


def test_images_know_their_groups(toy: Paths) -> None:
    """Images of one group have one number in every shard and role's tensor, also when only its name changes."""
    write_value(toy.root, "datasets.target.group.pattern", r"(\d)\.png")
    folder = ready(toy)
    rows = manifest.read(toy.manifest("target"))
    rows = rows[rows["role"] == "train"].sort_values("shard", kind="stable")
    found = load(folder, "train").groups
    assert found is not None
    assert 2 <= rows["group"].nunique() < 10
    table = pd.DataFrame({"name": rows["group"].tolist(), "number": found.tolist()})
    assert (table.nunique() == table["name"].nunique()).all()
    assert len(table.drop_duplicates()) == table["name"].nunique()

    stamps = {path: path.stat().st_mtime_ns for path in folder.glob("train-0000?.npy")}
    whole = manifest.read(toy.manifest("target"))
    manifest.write(whole.assign(group="all"), toy.manifest("target"))
    preprocess(Paths(toy.root), "target")
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    again = load(folder, "train").groups
    assert again is not None
    assert len(again.unique()) == 1


def test_shards_from_before_have_no_groups(toy: Paths) -> None:
    """Those that were archived without groups and digests are read, and every image is its own."""
    folder = ready(toy)
    next(folder.glob("train-*.groups.npy")).unlink()
    told = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    kept = {name: told[name] for name in ("size", "classes", "shards")}
    (folder / "index.json").write_text(json.dumps(kept), encoding="utf-8")
    assert load(folder, "train").groups is None
    assert load(folder, "val").groups is not None


def test_training_images_alone_become_jpegs(toy: Paths) -> None:
    """They still look alike; what is measured on stays as it was, byte for byte, and the way back leaves nothing."""
    folder = ready(toy)
    pixels, before = load(folder, "train").pixels[:], contents(folder)
    images = load(ready(toy, store="jpeg"), "train")
    assert isinstance(images.pixels, Compressed)
    assert (images.pixels[:].float() - pixels.float()).abs().mean() < 25
    rows = torch.tensor([5, 70, 0])
    assert torch.equal(images.take(rows), images.pixels[:][rows])
    after = contents(folder)
    changed = {name for name in before if after[name] != before[name]}
    numbers = (".labels.npy", ".groups.npy")
    assert changed == {name for name in before if name.startswith("train") and not name.endswith(numbers)}
    assert contents(ready(toy, store="raw")) == before


@pytest.mark.parametrize("name", ["", ".labels", ".groups"])
def test_damaged_shard_is_refused_and_made_anew(toy: Paths, name: str) -> None:
    """A flipped byte is told before use, with the remedy; so is a cut; and both come back bit for bit."""
    folder = ready(toy)
    before, file = contents(folder), folder / f"train-00001{name}.npy"
    whole = file.read_bytes()
    stamps = {path: path.stat().st_mtime_ns for path in folder.glob("*.npy") if not path.name.startswith("train-00001")}
    for damage in (whole[:-3] + bytes([whole[-3] ^ 16]) + whole[-2:], whole[:-5], whole[:40], b""):
        file.write_bytes(damage)
        assert load(folder, "val").digest
        with pytest.raises(DataError, match=rf"train-00001{name}.npy was changed .*`sightline run`"):
            load(folder, "train")
        preprocess(Paths(toy.root), "target")
        assert contents(folder) == before
        assert load(folder, "train").digest
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_damaged_index_is_refused_and_made_anew(toy: Paths) -> None:
    """Another class name in it, or half of it, is told; preprocessing writes it anew."""
    folder = ready(toy)
    before, file = contents(folder), folder / "index.json"
    text = file.read_text(encoding="utf-8")
    for damage in (text.replace('"green"', '"grean"'), text[:200], text.replace("digest", "dogest"), "null", "\x00"):
        file.write_text(damage, encoding="utf-8")
        with pytest.raises(DataError, match=r"index.json"):
            load(folder, "train")
        preprocess(Paths(toy.root), "target")
        assert file.read_text(encoding="utf-8") == text
        assert contents(folder) == before


def test_other_decoding_code_makes_other_shards(toy: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """What decodes differently than before leaves no old pixels; where the pixels are the same, the version is too."""
    folder = ready(toy)
    before, index = contents(folder), (folder / "index.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(shards, "code_digest", lambda module: f"another {module}")
        patch.setattr(shards, "_stored", _black)
        preprocess(Paths(toy.root), "target")
        assert not load(folder, "train").pixels[:].any()
    preprocess(Paths(toy.root), "target")
    assert contents(folder) == before
    assert (folder / "index.json").read_bytes() == index


def _black(_raw: str, pixels: partial[NDArray[np.uint8]], *_: object) -> NDArray[np.uint8]:
    size = pixels.keywords["size"]
    return np.zeros((size, size, 3), dtype=np.uint8)


@pytest.mark.parametrize("store", ["raw", "jpeg"])
def test_new_images_change_one_shard(toy: Paths, store: str) -> None:
    """Ten new images are written to the last shard of their role; the others are not touched."""
    folder = ready(toy, store=store)
    stamps = {path: path.stat().st_mtime_ns for path in folder.glob("train-*.npy")}
    extra = toy.raw("target") / "red"
    for number in range(10):
        draw(7_000_000 + number, COLOURS["red"]).save(extra / f"new{number}.png")
    ready(toy)
    again = {path: path.stat().st_mtime_ns for path in folder.glob("train-*.npy")}
    touched = {path.name.split(".")[0] for path in again if stamps.get(path) != again[path]}
    assert touched == {max(path.name.split(".")[0] for path in stamps)}


def test_jpegs_decode_to_what_was_encoded() -> None:
    """A smooth picture comes back within two grey levels on average, by any number of threads."""
    pictures = np.stack([scene(seed) for seed in range(9)])
    files = [jpeg.encode(picture, 90) for picture in pictures]
    alone, together = (jpeg.decode(files, 64, 0, threads) for threads in (1, 3))
    assert np.array_equal(alone, together)
    assert np.abs(alone.astype(int) - pictures).mean() < 2


def test_jpegs_are_decoded_at_the_smallest_scale_that_will_do() -> None:
    """For crops of 20 pixels an image of 64 is decoded to 24, three eighths, and shows the same."""
    picture = scene(1)
    small = jpeg.decode([jpeg.encode(picture, 95)], 64, 20, 1)[0]
    assert small.shape == (24, 24, 3)
    wanted = np.asarray(Image.fromarray(picture).resize((24, 24), Image.Resampling.BOX))
    assert np.abs(small.astype(int) - wanted).mean() < 4


def test_order_of_a_pass_is_a_full_shuffle() -> None:
    """Neighbours on the disk share a batch as often as chance says, and every place is as likely for an image."""
    from sightline.recipe import Recipe
    from sightline.train.batches import generator_for, order_of

    count, batch, passes = 512, 32, 200
    images = loader.Images(torch.empty(count, 3, 1, 1), torch.zeros(count).long(), ("a",))
    meet, places = 0.0, []
    for epoch in range(passes):
        place = order_of(images, Recipe(epochs=1), generator_for(0, epoch, -1)).argsort()
        meet += float((place[1:] // batch == place[:-1] // batch).float().mean()) / passes
        places.append(place[0] / count)
    assert meet == pytest.approx((batch - 1) / (count - 1), rel=0.05)
    assert float(torch.stack(places).mean()) == pytest.approx(0.5, abs=0.08)


def test_quality_has_limits() -> None:
    """A quality at which images fall apart is refused."""
    with pytest.raises(ValueError, match="quality = 10 is outside 50 … 100"):
        Preprocess(quality=10)


def test_loader_needs_torch_and_numpy_alone() -> None:
    """On a machine that only trains nothing else has to be installed."""
    code = (
        "import sys, sightline.data.loader; "
        "print(sorted({'pandas', 'PIL', 'simplejpeg', 'sklearn', 'mlflow', 'prefect'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
