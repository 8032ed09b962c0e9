"""How many images a budget is planned by."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from conftest import enter, make_project
from PIL import Image
from prefect.logging import disable_run_logger
from sharded import shards

from flows.budget import Clock
from sightline.budget import choice, overhead
from sightline.budget.amount import expected
from sightline.budget.overhead import Answers
from sightline.data import manifest
from sightline.data.ingest import ingest
from sightline.data.labels import exchange
from sightline.data.versions import history
from sightline.train.speed import Speed

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from sightline.project import Paths


def test_images_count_and_no_other_files(toy: Paths) -> None:
    """Neither tables, nor masks, nor what has no label; the manifest changes nothing."""
    raw = toy.raw("target")
    (raw / "notes.json").write_text("{}", encoding="utf-8")
    (raw / "labels_of_somebody.txt").write_text("red", encoding="utf-8")
    first = next((raw / "red").iterdir())
    Image.new("L", (24, 24)).save(first.with_name(f"{first.stem}_mask.png"))
    Image.new("L", (24, 24)).save(raw / "nobody_sorted_it.png")
    before = expected(toy, "target")
    assert before == {"train": 108, "val": 18, "calib": 18, "test": 36}
    (raw / "red" / "broken.png").write_text("no image", encoding="utf-8")
    broken = expected(toy, "target")
    rows = ingest(toy, "target")
    assert (rows["status"] == manifest.OK).sum() == 180
    assert expected(toy, "target") == broken


def test_members_of_tars_count(tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the splits that the names of the shards give."""
    for names, counts in {
        ("a", "b"): {"train": 108, "val": 18, "calib": 18, "test": 36},
        ("train-0", "train-1", "test-0"): {"train": 90, "val": 15, "calib": 15, "test": 60},
        ("train", "val", "test"): {"train": 60, "val": 30, "calib": 30, "test": 60},
    }.items():
        home = tmp_path / names[0]
        paths = enter(make_project(home, shards(images, tmp_path / f"{names[0]} tars", *names)), monkeypatch)
        assert expected(paths, "target") == counts


def test_labels_of_people_count(toy: Paths, tmp_path: Path) -> None:
    """In the folder they are not."""
    for file in (toy.raw("target") / "red").iterdir():
        file.rename(toy.raw("target") / file.name)
    assert sum(expected(toy, "target").values()) == 120
    history.ingest(toy, "target")
    table = tmp_path / "todo.csv"
    exchange.export(toy, "target", table, everything=False)
    head, *lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([head, *(f"{line}red" for line in lines)]), encoding="utf-8")
    exchange.take(toy, "target", table)
    assert expected(toy, "target") == {"train": 108, "val": 18, "calib": 18, "test": 36}


def test_size_is_that_of_the_same_images_in_folders(
    tmp_path: Path, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tar files are no two images, for which the largest network would have time."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(choice, "remembered", lambda *_: Speed(1.0))
    monkeypatch.setattr(overhead, "answers", lambda *_: Answers(plain=1000.0, corrupted=1000.0))
    chosen = []
    for name, place in (("folders", images), ("tars", shards(images, tmp_path / "shards", "train-0", "train-1"))):
        enter(make_project(tmp_path / name, place), monkeypatch)
        with disable_run_logger():
            chosen.append(Clock(3600.0, time.time()).sized(None))
    assert chosen[0] == chosen[1]
    assert chosen[0]["preprocess.size"] == 32
