"""The way back from an import of labels."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pytest

from sightline.data import manifest
from sightline.data.labels import change, exchange, given
from sightline.data.versions import history
from sightline.errors import DataError
from sightline.verify.data import findings as verify
from sightline.verify.finding import HEALED, WHOLE

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


def imported(paths: Paths, table: Path, label: str) -> None:
    """Give the first two images that label."""
    rows = manifest.read(paths.manifest("target"))
    with table.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["sha256", "label"])
        writer.writerows([digest, label] for digest in rows["sha256"].head(2))
    exchange.take(paths, "target", table)


def labels(paths: Paths) -> list[str]:
    return manifest.read(paths.manifest("target"))["label"].head(2).tolist()


@pytest.mark.slow
def test_last_import_is_taken_back(ingested: Paths, tmp_path: Path) -> None:
    """The labels of before it hold again, in a version of its own that says so; only one step back is kept."""
    first = labels(ingested)
    imported(ingested, tmp_path / "one.csv", "violet")
    kept = ingested.labels("target").read_bytes()
    imported(ingested, tmp_path / "two.csv", "crimson")
    assert labels(ingested) == ["crimson", "crimson"]
    assert change.undo(ingested, "target") == "2 labels imported from two.csv"
    assert labels(ingested) == ["violet", "violet"]
    assert ingested.labels("target").read_bytes() == kept
    assert history.read(ingested, "target")[-1].what[0] == "undone: 2 labels imported from two.csv"
    with pytest.raises(DataError, match="nothing to undo"):
        change.undo(ingested, "target")
    assert labels(ingested) == ["violet", "violet"] != first


@pytest.mark.slow
def test_first_import_leaves_no_table(ingested: Paths, tmp_path: Path) -> None:
    """Where there was none before, there is none again."""
    first = labels(ingested)
    imported(ingested, tmp_path / "one.csv", "violet")
    change.undo(ingested, "target")
    assert labels(ingested) == first
    assert not ingested.labels("target").exists()


def test_labels_changed_since_are_not_thrown_away(ingested: Paths, tmp_path: Path) -> None:
    """What somebody wrote into the table meanwhile would be lost: told, and nothing is done."""
    imported(ingested, tmp_path / "one.csv", "violet")
    text = ingested.labels("target").read_text().replace("violet", "mauve", 1)
    ingested.labels("target").write_text(text)
    with pytest.raises(DataError, match="was changed since the import"):
        change.undo(ingested, "target")
    assert ingested.labels("target").read_text() == text


def test_import_that_fails_leaves_the_way_back_of_the_last_one(
    ingested: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has changed nothing, and what was imported before it can still be taken back."""
    first = labels(ingested)
    imported(ingested, tmp_path / "one.csv", "violet")

    def full(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(history, "ingest", full)
        with pytest.raises(OSError, match="no space"):
            imported(ingested, tmp_path / "two.csv", "crimson")
    assert labels(ingested) == ["violet", "violet"]
    assert change.undo(ingested, "target") == "2 labels imported from one.csv"
    assert labels(ingested) == first


def test_what_is_kept_for_the_way_back_is_verified(ingested: Paths, tmp_path: Path) -> None:
    """As it was written it is whole; damaged, it is taken away and no import can be undone by it."""
    imported(ingested, tmp_path / "one.csv", "violet")
    assert [one for one in verify(ingested, fix=False) if one.state != WHOLE] == []
    kept = ingested.cache("target").with_suffix(change.UNDO)
    kept.write_bytes(kept.read_bytes().replace(b"one.csv", b"two.csv"))
    healed = [one for one in verify(ingested, fix=True) if one.state != WHOLE]
    assert [(one.which, one.state) for one in healed] == [("target.undo", HEALED)]
    assert "the last import of labels stays" in healed[0].said
    with pytest.raises(DataError, match="nothing to undo"):
        change.undo(ingested, "target")


def test_damaged_table_is_told_by_its_path_in_the_project(toy: Paths) -> None:
    """As git is asked for it."""
    place = toy.labels("target")
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("sha256,label,by,at\nabc\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"is damaged .*`git checkout -- data/labels/target\.csv`"):
        given.read(place)
