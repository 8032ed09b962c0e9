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


def test_images_may_come_before_the_first_version(toy: Paths, tmp_path: Path) -> None:
    """What the set holds is known all the same: copies are left out, and another label for one is told."""
    more = make_images(tmp_path / "more", per_class=2, first=500)
    shutil.copy(next((toy.raw("target") / "red").iterdir()), more / "red" / "again.png")
    shutil.copy(next((toy.raw("target") / "blue").iterdir()), more / "red" / "other.png")
    done = add(toy, "target", more)
    assert (done.added, done.known) == (6, 2)
    assert "came with another label, too" in done.said[0]
    rows = manifest.read(toy.manifest("target"))
    assert set(rows["status"]) == {manifest.OK}
    assert len(history.read(toy, "target")) == 2


def test_splits_and_groups_are_not_lost(ingested: Paths, tmp_path: Path) -> None:
    """Class folders have no place for them: one patient would lie on several sides, and test images be learned."""
    before = files(ingested.raw("target"))
    more = make_images(tmp_path / "more", per_class=2, first=500)
    lines = [f"{path},{path.split('/')[0]},patient 1" for path in sorted(files(more))]
    (more / "labels.csv").write_text("\n".join(["path,label,group", *lines, ""]))
    with pytest.raises(DataError, match=r"belongs to group 'patient 1', .* by folders alone, where that would be lost"):
        add(ingested, "target", more)
    (more / "labels.csv").unlink()
    parts = tmp_path / "parts"
    for split in ("train", "test"):
        shutil.copytree(more, parts / split, ignore=shutil.ignore_patterns("*0.png" if split == "train" else "*1.png"))
    with pytest.raises(DataError, match="belongs to the split 'test'"):
        add(ingested, "target", parts)
    assert files(ingested.raw("target")) == before
    shutil.rmtree(parts / "test")
    assert add(ingested, "target", parts / "train").added == 3


def test_known_content_is_told_by_what_it_says_now(ingested: Paths, tmp_path: Path) -> None:
    """An image that waits for a label gets one; another label is told; a deleted file comes back."""
    raw, more = ingested.raw("target"), tmp_path / "more"
    draw(901, COLOURS["red"]).save(raw / "somewhere.png")
    history.ingest(ingested, "target")
    for name in COLOURS:
        (more / name).mkdir(parents=True)
    (raw / "somewhere.png").rename(more / "red" / "a.png")
    shutil.copyfile(more / "red" / "a.png", raw / "somewhere.png")
    shutil.copyfile(raw / "red" / "0001.png", more / "green" / "b.png")
    (raw / "blue" / "0002.png").rename(more / "blue" / "c.png")
    done = add(ingested, "target", more)
    assert (done.added, done.labelled, done.known) == (1, 1, 1)
    (told,) = done.said
    assert "1 image that the set holds came with another label, too: red/0001.png as 'red', which stays" in told
    rows = manifest.read(ingested.manifest("target")).set_index("path")
    assert (rows.loc["somewhere.png", "label"], rows.loc["somewhere.png", "status"]) == ("red", "ok")
    assert rows.loc["red/0001.png", "label"] == "red"
    assert (raw / "blue" / "c.png").is_file()
    assert (add(ingested, "target", more).added, len(manifest.read(ingested.manifest("target")))) == (0, len(rows))


def test_files_that_cannot_be_read_are_not_counted_as_images(ingested: Paths, tmp_path: Path) -> None:
    """They come into quarantine, and the first is named with its reason."""
    more = make_images(tmp_path / "more", per_class=1, first=700)
    (more / "red" / "broken.png").write_bytes((more / "red" / "0700.png").read_bytes()[:20])
    done = add(ingested, "target", more)
    assert done.added == 3
    (said,) = done.said
    assert said.startswith("1 file came that cannot be read, in quarantine now; first red/broken.png: ")


def test_content_under_two_labels_is_decided_by_the_version(ingested: Paths, tmp_path: Path) -> None:
    """As `init` does: both wait until somebody tells which is right, whichever came first."""
    for name in ("blue", "red"):
        (tmp_path / "more" / name).mkdir(parents=True)
        draw(902, COLOURS["blue"]).save(tmp_path / "more" / name / "same.png")
    assert add(ingested, "target", tmp_path / "more").added == 2
    rows = manifest.read(ingested.manifest("target")).set_index("path")
    for name in ("blue", "red"):
        assert rows.loc[f"{name}/same.png", "status"] == "quarantined"
        assert str(rows.loc[f"{name}/same.png", "reason"]).startswith("contradictory")


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
