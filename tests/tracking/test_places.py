"""A project that moves takes the files of its MLflow store with it, and a copy leaves the original alone."""

from __future__ import annotations

import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from conftest import enter

from sightline.errors import RegistryError
from sightline.project import Paths
from sightline.tracking import places
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run(toy: Paths) -> str:
    """A run of the toy project with a file."""
    tracker = connect(toy)
    run = tracker.start("toy", {})
    tracker.store(run, b"first", "page/file.txt")
    return run


def go(folder: Path, patch: pytest.MonkeyPatch) -> Paths:
    """Work in the project in `folder`, which is not the one before."""
    patch.delenv("MLFLOW_TRACKING_URI")
    return enter(Paths(folder), patch)


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_copy_reads_and_writes_its_own_files(
    toy: Paths, run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What the original stored is read from the copy, what the copy stores lies in it, and it is told once."""
    before = tree(toy.root)
    # A folder whose name begins with that of the original, and one with blanks.
    copy = go(shutil.copytree(toy.root, tmp_path / "toy project 2"), monkeypatch)
    (toy.mlflow / "artifacts" / run / "artifacts" / "page" / "file.txt").write_bytes(b"of the original")
    assert connect(copy).stored(run, "page/file.txt") == b"first"
    connect(copy).store(run, b"second", "page/more.txt")
    assert (copy.mlflow / "artifacts" / run / "artifacts" / "page" / "more.txt").read_bytes() == b"second"
    assert [one.message.count(str(toy.root).replace(" ", "%20")) for one in caplog.records] == [1]
    (toy.mlflow / "artifacts" / run / "artifacts" / "page" / "file.txt").write_bytes(b"first")
    assert tree(toy.root) == before


def test_moved_project_finds_its_files_and_leaves_nothing_behind(
    run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moved twice, it reads and writes where it is; at the old places nothing appears."""
    for name in ("second", "third place"):
        there = next(tmp_path.iterdir()).rename(tmp_path / name)
        tracker = connect(go(there, monkeypatch))
        assert tracker.stored(run, "page/file.txt") == b"first"
        tracker.store(tracker.start(name, {}), b"more", "more.txt")
    assert [one.name for one in tmp_path.iterdir()] == ["third place"]


def test_what_a_person_put_elsewhere_stays(toy: Paths, run: str, tmp_path: Path) -> None:
    """Only the experiments of a project follow it, with all that lies below them."""
    tracker = connect(toy)
    elsewhere = (tmp_path / "elsewhere").as_uri()
    other = tracker.client.create_experiment("by hand", artifact_location=elsewhere)
    theirs = tracker.client.create_run(other).info.run_id
    copy = Paths(shutil.copytree(toy.root, tmp_path / "copy"))
    assert places.follow(copy) == (places.location(toy),)
    assert places.follow(copy) == ()
    with closing(sqlite3.connect(copy.mlflow / "mlflow.db")) as connection:
        found = dict(connection.execute("SELECT run_uuid, artifact_uri FROM runs").fetchall())
    assert found == {run: f"{places.location(copy)}/{run}/artifacts", theirs: f"{elsewhere}/{theirs}/artifacts"}


@pytest.mark.usefixtures("run")
def test_of_many_processes_one_changes_the_store(toy: Paths, tmp_path: Path) -> None:
    """Eight at once: one says that it did, and all find it done."""
    copy = Paths(shutil.copytree(toy.root, tmp_path / "copy"))
    with ThreadPoolExecutor(8) as pool:
        told = [one for one in pool.map(lambda _: places.follow(copy), range(8)) if one]
    assert told == [(places.location(toy),)]


@pytest.mark.usefixtures("run")
def test_store_that_cannot_be_changed_is_told(toy: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read from the original instead."""
    copy = Paths(shutil.copytree(toy.root, tmp_path / "copy"))
    monkeypatch.setattr(places, "WAIT", 0.1)
    with closing(sqlite3.connect(copy.mlflow / "mlflow.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RegistryError, match="make it writable"):
            connect(go(copy.root, monkeypatch))


def test_a_file_that_is_no_store_is_left_to_mlflow(tmp_path: Path) -> None:
    """Whoever opens it next says what is wrong with it."""
    (tmp_path / "mlflow").mkdir()
    assert places.follow(Paths(tmp_path)) == ()
    (tmp_path / "mlflow" / "mlflow.db").write_bytes(b"no store" * 1000)
    assert places.follow(Paths(tmp_path)) == ()


@pytest.mark.parametrize("kept", [None, "/home/ann/mlruns/1", "file:///home/ann/mlruns/1"])
def test_a_database_without_a_server_is_refused(kept: str | None) -> None:
    """Others would find runs in it whose files lie on the machine of whoever made them; the password stays unsaid."""
    with pytest.raises(RegistryError, match="mlflow server --backend-store-uri") as caught:
        places.check_shared("postgresql+psycopg2://ann:sesame@db/mlflow", kept)
    assert "sesame" not in str(caught.value)
    places.check_shared("postgresql://db/mlflow", "s3://bucket/1")
    places.check_shared("http://mlflow:5000", "mlflow-artifacts:/1")
    places.check_shared("sqlite:////project/mlflow/mlflow.db", kept)
