from __future__ import annotations

import hashlib
import io
import os
import tarfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from conftest import COLOURS, SHARED, draw, make_images
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline import project, scaffold
from sightline.config import load, write_value
from sightline.data import contents, ingest, manifest
from sightline.data.files import thumbnails
from sightline.data.files.facts import BESIDE, read_bytes
from sightline.data.files.statistics import THUMBNAIL
from sightline.data.manifest import COLUMNS, OK, QUARANTINED
from sightline.data.quality import names
from sightline.data.versions.code import write_code_digests
from sightline.errors import ConfigError, DataError
from sightline.params import Dataset, Fractions, Ingest, Validate

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths

LIMITS = Ingest()
DATASET = Dataset(images="data/raw/target", roles=Fractions(train=0.6, val=0.1, calib=0.1, test=0.2))


def read(folder: Path, limits: Ingest = LIMITS) -> pd.DataFrame:
    """The rows of `folder`, through a cache beside it."""
    return contents.read_files(
        contents.read_layout(folder), folder, limits, folder.with_name(folder.name + ".cache.parquet")
    )


def reasons(rows: pd.DataFrame) -> dict[str, str]:
    """Path → reason of the quarantined files."""
    left_out = rows[rows["status"] == QUARANTINED]
    return dict(zip(left_out["path"], left_out["reason"], strict=True))


def facts_of(rows: pd.DataFrame, path: str) -> dict[str, Any]:
    return {str(name): value for name, value in rows.set_index("path").loc[path].items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve toys of three classes."""
    return make_images(tmp_path / "blobs", per_class=4)


def test_a_row_tells_what_the_file_is(folder: Path) -> None:
    """Digest, format, mode, size and bytes are those of the file; nothing else is known yet."""
    place = folder / "red" / "0000.png"
    row = facts_of(read(folder), "red/0000.png")
    assert row["sha256"] == hashlib.sha256(place.read_bytes()).hexdigest()
    assert [row[name] for name in ("label", "format", "mode", "width", "height", "bytes")] == [
        "red",
        "PNG",
        "RGB",
        24,
        24,
        place.stat().st_size,
    ]
    assert all(pd.isna(row[name]) for name in ("group", "split", "role", "shard", "reason"))


def test_only_new_and_changed_files_are_read_again(folder: Path) -> None:
    """An unchanged file is not opened: one that can no longer be opened keeps its row."""
    first = read(folder)
    (folder / "red" / "0001.png").unlink()
    draw(77, (9, 9, 9)).save(folder / "red" / "0002.png")
    draw(78, (9, 9, 9)).save(folder / "red" / "new.png")
    kept = folder / "red" / "0003.png"
    stamp = kept.stat()
    with kept.open("r+b") as handle:
        handle.write(b"broken!")
    os.utime(kept, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    second = read(folder)
    assert set(second["path"]) == set(first["path"]) - {"red/0001.png"} | {"red/new.png"}
    changed = second.merge(first, on="path").query("sha256_x != sha256_y")["path"].tolist()
    assert changed == ["red/0002.png"]
    # Without what it knew, it sees the damage.
    folder.with_name("blobs.cache.parquet").unlink()
    assert set(reasons(read(folder))) == {"red/0003.png"}


def test_other_limits_read_everything_again(folder: Path) -> None:
    """What was quarantined under one limit may be fine under another."""
    Image.new("L", (2000, 2000)).save(folder / "red" / "large.png")
    small = Ingest(max_megapixels=1)
    assert reasons(read(folder, small)) == {"red/large.png": "2000×2000 pixels are above the limit of 1 megapixels"}
    assert reasons(read(folder)) == {}


def test_a_file_that_could_not_be_opened_is_tried_again(folder: Path) -> None:
    """A missing file of a table is quarantined while it is missing."""
    (folder / "labels.csv").write_text("path,label\nred/0000.png,red\nlate.png,red\n")
    assert reasons(read(folder)) == {"late.png": "there is no such file"}
    draw(5, (1, 2, 3)).save(folder / "late.png")
    assert reasons(read(folder)) == {}


def test_every_damage_has_its_reason(folder: Path) -> None:
    """Empty, truncated, renamed, too large, no file at all, no label: the run goes on and says which is which."""
    data = (folder / "red" / "0000.png").read_bytes()
    bad = folder / "red"
    (bad / "empty.png").write_bytes(b"")
    (bad / "half.png").write_bytes(data[: len(data) // 2])
    (bad / "text.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n")
    (bad / "fat.png").write_bytes(data + bytes(1_100_000))
    (bad / "folder.png").mkdir()
    os.mkfifo(bad / "pipe.png")
    (folder / "stray.png").write_bytes(data)
    found = reasons(read(folder, Ingest(max_megabytes=1)))
    assert {path: reason.split(":")[0].split(" (J")[0] for path, reason in found.items()} == {
        "red/empty.png": "empty file (0 bytes)",
        "red/half.png": "damaged pixels",
        "red/text.jpg": "not an image of an allowed format",
        "red/fat.png": "1 MB are above the limit of 1 MB",
        "red/pipe.png": "not a regular file",
        "stray.png": "no label",
    }


def test_other_files_are_told_in_the_run_too(folder: Path) -> None:
    """What is in quarantine is no other file: each is told once."""
    (folder / "red" / "0000.xml").write_text("<a/>")
    (folder / "red" / "broken.png").write_text("x")
    assert ingest.left_aside(folder, read(folder)) == ["1 other file not read: 1 .xml"]


def test_size_or_colour_mode_beyond_the_limits_costs_the_image_alone(toy: Paths) -> None:
    """One image of a pixel, a panorama, one in a printer's colours: each is left out with its reason."""
    place = toy.raw("target") / "red"
    Image.new("RGB", (1, 1)).save(place / "pixel.png")
    Image.new("L", (9000, 30), 9).save(place / "panorama.png")
    Image.new("LAB", (30, 30), (9, 8, 7)).save(place / "lab.tif")
    rows = ingest.ingest(toy, "target")
    found = rows[rows["status"] == "quarantined"].set_index("path")["reason"].to_dict()
    limits = "pixels: the sides must have 8 to 8192 (validate.min_side, max_side)"
    assert found == {
        "red/pixel.png": f"1 x 1 {limits}",
        "red/panorama.png": f"9000 x 30 {limits}",
        "red/lab.tif": "colour mode LAB is not in validate.modes",
    }
    assert ingest.told(rows) == "180 images of 3 classes: blue 60, green 60, red 60; 3 in quarantine"
    write_value(toy.root, "validate.max_side", 9000)
    again = ingest.ingest(project.Paths(toy.root), "target")
    assert (again["status"] == "quarantined").sum() == 2


def test_the_users_folder_is_left_as_it_is(folder: Path) -> None:
    """No file below the images is written, changed or removed, nor is its time."""
    (folder / "red" / "broken.png").write_bytes(b"x")

    def state() -> list[tuple[str, int, int]]:
        return sorted((str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in folder.rglob("*"))

    before = state()
    read(folder)
    assert state() == before


def test_links_that_leave_are_quarantined_unread(tmp_path: Path, folder: Path) -> None:
    """The bytes behind such a link reach nobody: not even their digest is taken."""
    draw(1, (1, 1, 1)).save(tmp_path / "secret.png")
    (folder / "red" / "link.png").symlink_to(tmp_path / "secret.png")
    row = facts_of(read(folder), "red/link.png")
    assert (row["status"], row["reason"]) == (QUARANTINED, "link that leaves the folder")
    assert pd.isna(row["bytes"])


def test_odd_names_come_through_to_the_quarantine_list(toy: Paths) -> None:
    """Blanks, quotes, commas and newlines in names survive manifest and CSV."""
    odd = "red/a, \"b\"\n'c' 猫.png"
    (toy.raw("target") / odd).write_bytes(b"broken")
    ingest.ingest(toy, "target")
    assert pd.read_csv(toy.quarantine("target"))["path"].tolist() == [odd]
    assert odd in manifest.read(toy.manifest("target"))["path"].tolist()


def test_a_class_with_one_image_gets_one_role(folder: Path) -> None:
    """It is kept; that it is too small is for the validation to say."""
    (folder / "rare").mkdir()
    draw(5, (1, 1, 1)).save(folder / "rare" / "1.png")
    rows = ingest.decide(read(folder), DATASET, None)
    assert rows.loc[rows["label"] == "rare", "status"].tolist() == [OK]


def test_two_folders_of_one_name_in_another_case_are_two_classes(folder: Path) -> None:
    """Their images may even have the same names."""
    make_images(folder.with_name("more"), per_class=2, first=50)
    (folder.with_name("more") / "red").rename(folder / "Red")
    (folder / "Red" / "0050.png").rename(folder / "Red" / "0000.png")
    rows = ingest.decide(read(folder), DATASET, None)
    assert manifest.classes(rows) == ["Red", "blue", "green", "red"]


def test_the_same_image_under_two_labels_leaves(folder: Path) -> None:
    """Both copies are quarantined, with both labels in the reason; copies under one label stay."""
    data = (folder / "red" / "0000.png").read_bytes()
    (folder / "blue" / "copy.png").write_bytes(data)
    (folder / "green" / "copy.png").write_bytes((folder / "green" / "0000.png").read_bytes())
    rows = ingest.decide(read(folder), DATASET, None)
    said = "contradictory: the same image is labelled blue, red"
    assert reasons(rows) == {"red/0000.png": said, "blue/copy.png": said}


def test_extensions_that_belie_the_content_are_found(folder: Path) -> None:
    """A PNG called .jpg is read as the PNG that it is, and told; one without extension is not."""
    (folder / "red" / "0000.png").rename(folder / "red" / "0000.JPG")
    (folder / "red" / "0001.png").rename(folder / "red" / "0001")
    (folder / "red" / "bad.jpg").write_bytes(b"x")
    rows = read(folder)
    told = names.misnamed(rows, Validate())
    assert told is not None
    assert (told.cases, told.groups) == (1, (("red/0000.JPG",),))
    assert "PNG as .jpg (1)" in told.sentence
    assert names.misnamed(rows[rows["path"] != "red/0000.JPG"], Validate()) is None
    assert facts_of(rows, "red/0000.JPG")["format"] == "PNG"


def test_images_in_a_tar_are_read_in_place(tmp_path: Path) -> None:
    """Their facts are those of the files packed; a changed tar is read again."""
    images = make_images(tmp_path / "images", per_class=2)
    shards = tmp_path / "shards"
    shards.mkdir()

    def pack(paths: list[Path]) -> None:
        with tarfile.open(shards / "train-0000.tar", "w") as tar:
            for place in paths:
                tar.add(place, f"{place.parent.name}{place.name}")
                info = tarfile.TarInfo(f"{place.parent.name}{place.stem}.cls")
                info.size = len(place.parent.name)
                tar.addfile(info, io.BytesIO(place.parent.name.encode()))

    paths = sorted(images.rglob("*.png"))
    pack(paths)
    facts = ["sha256", "label", "format", "mode", "width", "height", "bytes"]
    packed = read(shards)
    pd.testing.assert_frame_equal(
        packed[facts].sort_values("sha256", ignore_index=True),
        read(images)[facts].sort_values("sha256", ignore_index=True),
    )
    assert read_bytes(shards, packed["path"].iloc[0]) in {place.read_bytes() for place in paths}
    pack(paths[:3])
    assert len(read(shards)) == 3


def test_the_manifest_is_the_same_from_any_number_of_processes(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal images, equal bytes: with one process and with three, with and without the cache."""
    from sightline.data.files import workers

    files: list[bytes] = []
    for count, chunk in ((1, 64), (3, 2)):
        monkeypatch.setattr(os, "cpu_count", lambda count=count: count)
        monkeypatch.setattr(workers, "CHUNK", chunk)
        monkeypatch.setattr(workers, "PER_WORKER", chunk)
        folder.with_name("blobs.cache.parquet").unlink(missing_ok=True)
        for _ in range(2):
            place = tmp_path / f"{len(files)}.parquet"
            manifest.write(ingest.decide(read(folder), DATASET, None), place)
            files.append(place.read_bytes())
    assert len(set(files)) == 1


TEXT = st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=12))
NUMBER = st.one_of(st.none(), st.integers(0, 2**40))


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                name: TEXT if kind == "string" else NUMBER
                for name, kind in COLUMNS.items()
                if kind in {"string", "Int64"}
            }
        ),
        max_size=8,
    )
)
def test_a_manifest_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    """Any text and any number, missing ones too, survive the file; writing again gives the same bytes."""
    table = pd.DataFrame(rows).reindex(columns=list(COLUMNS)).astype(COLUMNS)
    place = tmp_path_factory.getbasetemp() / "roundtrip" / "manifest.parquet"
    manifest.write(table, place)
    first = place.read_bytes()
    pd.testing.assert_frame_equal(manifest.read(place), table)
    manifest.write(manifest.read(place), place)
    assert place.read_bytes() == first


@pytest.mark.slow
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(steps=st.lists(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 5)), max_size=6), min_size=1, max_size=3))
def test_incremental_is_from_scratch(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[tuple[int, int]]]
) -> None:
    """Files that come, change and go leave the same facts, and with the same previous manifest the same roles."""
    folder = tmp_path_factory.mktemp("growing") / "images"
    draw(999, (5, 5, 5)).save(make_images(folder, per_class=1) / "red" / "always.png")
    previous = None
    for step in steps:
        for name, content in step:
            place = folder / ("red", "blue")[name % 2] / f"f{name}.png"
            if content == 0:
                place.unlink(missing_ok=True)
            elif content == 1:
                place.write_bytes(b"broken")
            else:
                draw(content, (200, 10, 10)).save(place)
        grown = read(folder)
        scratch = contents.read_files(contents.read_layout(folder), folder, LIMITS, folder.with_name("no.parquet"))
        one, other = (rows.sort_values("path", ignore_index=True) for rows in (grown, scratch))
        pd.testing.assert_frame_equal(one.drop(columns=THUMBNAIL), other.drop(columns=THUMBNAIL))
        seen = [
            thumbnails.mapped(folder.with_name(f"{name}.thumbnails"))[rows[THUMBNAIL].dropna().to_numpy(dtype=int)]
            for name, rows in ((f"{folder.name}.cache", one), ("no", other))
        ]
        np.testing.assert_array_equal(*seen)
        folder.with_name("no.parquet").unlink()
        assert thumbnails.count(folder.with_name(f"{folder.name}.cache.thumbnails")) <= 2 * len(grown) + 2
        plain = (rows.drop(columns=[THUMBNAIL, *BESIDE]) for rows in (grown, scratch))
        rows, others = (ingest.decide(rows, DATASET, previous) for rows in plain)
        pd.testing.assert_frame_equal(rows, others)
        previous = rows


def test_an_external_folder_stays_where_it_is(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is copied; the listing that DVC watches changes with the folder, and only then."""
    said: list[str] = []
    scaffold.init(tmp_path / "project", str(folder), None, "toy", said.append, external=True)
    paths = project.Paths(tmp_path / "project")
    assert any("`dvc pull` cannot bring them back" in line for line in said)
    assert not (paths.root / "data" / "raw").exists()
    monkeypatch.chdir(paths.root)
    write_code_digests(paths)
    listing = paths.root / "data" / "external" / "target"
    first = listing.read_text()
    write_code_digests(paths)
    assert listing.read_text() == first
    assert len(ingest.ingest(paths, "target")) == 12
    draw(1, (1, 1, 1)).save(folder / "red" / "new.png")
    write_code_digests(paths)
    assert listing.read_text() != first
    folder.rename(tmp_path / "moved")
    with pytest.raises(DataError, match="`dvc pull` cannot bring"):
        write_code_digests(paths)


@pytest.mark.slow
def test_dvc_runs_an_external_set_again_only_when_it_changes(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`dvc repro` by hand sees a new image outside of the project."""
    from sightline.data.versions import dvc

    scaffold.init(tmp_path / "project", str(folder), None, "toy", lambda _: None, external=True)
    paths = project.Paths(tmp_path / "project")
    for key, value in project.environment(paths.root).items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(paths.root)

    def ran() -> bool:
        write_code_digests(paths)
        return dvc.reproduce(paths, "ingest", "target").ran

    assert [ran(), ran()] == [True, False]
    draw(1, (1, 1, 1)).save(folder / "red" / "new.png")
    assert [ran(), ran()] == [True, False]
    assert len(manifest.read(paths.manifest("target"))) == 13


def test_raw_and_images_must_fit_each_other(toy: Paths) -> None:
    """DVC would watch another folder than the one that is read: an error with its remedy."""
    write_value(toy.root, "datasets.target.images", "data/raw/other")
    with pytest.raises(ConfigError, match="images under DVC lie in data/raw/target; for a folder elsewhere set"):
        load(toy.root)
    write_value(toy.root, "datasets.target.raw", "external")
    with pytest.raises(ConfigError, match="name an external folder by its full path"):
        load(toy.root)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared image sets are not here")
def test_real_photos_are_read() -> None:
    """Steel, whose defects are known: 1,440 images, one of them twice."""
    import tempfile
    from pathlib import Path

    with (
        tempfile.TemporaryDirectory() as scratch,
        tarfile.open(SHARED / "target_steel_neu" / "target_steel_neu.tar") as tar,
    ):
        tar.extractall(scratch, filter="data")
        rows = read(Path(scratch) / "target_steel_neu")
    assert (len(rows), reasons(rows)) == (1440, {})
    assert rows["sha256"].duplicated().sum() == 1
    assert np.array_equal(rows[["width", "height"]].drop_duplicates().to_numpy(), [[200, 200]])


def test_an_unchanged_set_is_not_worked_through_again(ingested: Paths) -> None:
    """Nothing is written where nothing changed; a lost quarantine list, another value or a new file are seen."""
    ingest.ingest(ingested, "target")
    target = ingested.manifest("target")
    written = target.stat().st_mtime_ns
    rows = ingest.ingest(ingested, "target")
    assert target.stat().st_mtime_ns == written
    assert rows.equals(manifest.read(target))
    ingested.quarantine("target").unlink()
    ingest.ingest(ingested, "target")
    assert ingested.quarantine("target").is_file()
    write_value(ingested.root, "datasets.target.train_per_class", 3)
    changed = project.Paths(ingested.root)
    assert (ingest.ingest(changed, "target")["status"] == "held_back").any()
    draw(77_777, COLOURS["red"]).save(ingested.raw("target") / "red" / "late.png")
    assert "red/late.png" in set(ingest.ingest(changed, "target")["path"])


@pytest.mark.parametrize("name", ["target.parquet", "target.thumbnails", "target.near.parquet", "target.inputs"])
def test_damaged_cache_heals_itself(toy: Paths, name: str) -> None:
    """A flipped byte, a cut and an empty file among what this machine remembers change no manifest and stop nothing."""
    ingest.ingest(toy, "target")
    place = toy.root / "data" / "cache" / name
    before, whole = toy.manifest("target").read_bytes(), place.read_bytes()
    middle = len(whole) // 3
    flipped = whole[:middle] + bytes([whole[middle] ^ 4]) + whole[middle + 1 :]
    for number, damage in enumerate((flipped, whole[:middle], b"")):
        place.write_bytes(damage)
        draw(8_000_000 + number, COLOURS["red"]).save(toy.raw("target") / "red" / "more.png")
        ingest.ingest(toy, "target")
        (toy.raw("target") / "red" / "more.png").unlink()
        ingest.ingest(toy, "target")
        assert toy.manifest("target").read_bytes() == before
