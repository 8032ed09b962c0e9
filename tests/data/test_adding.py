"""More images for a data set that is there already."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from conftest import COLOURS, draw, make_images

from sightline.data import manifest
from sightline.data.adding import add
from sightline.data.sources import tables
from sightline.data.status import look
from sightline.data.versions import history
from sightline.errors import DataError, SightlineError

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_labelled_images_join_their_classes_as_the_next_version(ingested: Paths, tmp_path: Path) -> None:
    """Names that are taken are no matter, copies of what is there are left out, and the log tells where from."""
    more = make_images(tmp_path / "more", per_class=2, first=500)
    shutil.copyfile(ingested.raw("target") / "red" / "0001.png", more / "red" / "a copy.png")
    draw(7, COLOURS["red"]).save(more / "red" / "0003.png")
    (more / "violet").mkdir()
    draw(8, (150, 40, 200)).save(more / "violet" / "0001.png")
    before = {path: path.read_bytes() for path in ingested.raw("target").rglob("*.png")}
    done = add(ingested, "target", more)
    assert (done.added, done.known, done.unlabelled, done.new_classes) == (8, 1, 0, ("violet",))
    assert {path: path.read_bytes() for path in before} == before
    assert {"red/0003-2.png", "violet/0001.png", "blue/0500.png"} <= files(ingested.raw("target"))
    rows = manifest.read(ingested.manifest("target"))
    assert len(rows) == 188
    assert rows.set_index("path")["label"]["red/0003-2.png"] == "red"
    last = history.read(ingested, "target")[-1]
    assert last.version == done.version
    assert last.what[0] == f"8 images added from {more}"
    assert not list(ingested.cache("target").parent.glob("adding-*"))


@pytest.mark.slow
def test_table_gets_a_line_for_each(ingested: Paths, tmp_path: Path) -> None:
    """Where a table says what the images are, it says so of the new ones."""
    raw = ingested.raw("target")
    lines = [f"{path},{path.split('/')[0]}" for path in sorted(files(raw))]
    (raw / "labels.csv").write_text("\n".join(["path,label", *lines, ""]))
    history.ingest(ingested, "target")
    (tmp_path / "photos").mkdir()
    draw(901, COLOURS["blue"]).save(tmp_path / "photos" / "b.png")
    (tmp_path / "more.csv").write_text("file_name;class\nphotos/b.png;blue\n")
    assert add(ingested, "target", tmp_path / "more.csv").added == 1
    assert [(row["path"], row["label"]) for _, row in tables.rows(raw / "labels.csv")][-1] == ("added/b.png", "blue")


def test_version_that_cannot_be_made_leaves_everything_as_it_was(
    ingested: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A raw folder with half of the new images would be a version that nobody asked for."""
    more, before = make_images(tmp_path / "more", per_class=2, first=500), files(ingested.raw("target"))
    (more / "violet").mkdir()
    draw(8, (150, 40, 200)).save(more / "violet" / "0001.png")
    (ingested.root / "dvc.yaml").write_text("stages: [")
    with pytest.raises(SightlineError):
        add(ingested, "target", more)
    assert files(ingested.raw("target")) == before
    assert not (ingested.raw("target") / "violet").exists()
    monkeypatch.undo()


def test_set_with_splits_takes_none(ingested: Paths, tmp_path: Path) -> None:
    """Into which split they belong is not ours to guess: told, with where to put them."""
    raw = ingested.raw("target")
    for split in ("train", "test"):
        shutil.copytree(raw, tmp_path / "split" / split, ignore=shutil.ignore_patterns("*[1-9].png"))
    shutil.rmtree(raw)
    shutil.copytree(tmp_path / "split", raw)
    with pytest.raises(DataError, match=r"split into train and test folders .* put them into .*target"):
        add(ingested, "target", make_images(tmp_path / "more", per_class=1, first=500))


def test_status_tells_what_the_next_version_would_bring(ingested: Paths) -> None:
    """What came, went, moved or is labelled otherwise; and nothing where nothing did."""
    raw, version = ingested.raw("target"), history.read(ingested, "target")[-1].version
    now = look(ingested, "target")
    assert (now.version, now.changes, now.words) == (version, 0, ("the same images, labels and roles",))
    draw(902, COLOURS["blue"]).save(raw / "blue" / "new.png")
    (raw / "red" / "0001.png").unlink()
    (raw / "red" / "0002.png").rename(raw / "green" / "from red.png")
    (raw / "green" / "0005.png").rename(raw / "green" / "renamed.png")
    changed = look(ingested, "target")
    assert changed.changes == 4
    assert set(changed.words) == {
        "1 image added (blue 1)",
        "1 image removed (red 1)",
        "1 image renamed",
        "1 image relabelled (red → green 1)",
    }
    assert history.read(ingested, "target")[-1].version == version


def test_status_before_the_first_version(toy: Paths) -> None:
    """Everything is new."""
    now = look(toy, "target")
    assert (now.version, now.changes) == (None, 180)
    assert now.words[0] == "180 images added (blue 60, green 60, red 60)"
