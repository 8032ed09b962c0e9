"""What nobody uses any more of what training left behind: found by its last use, kept where a version counts on it."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest
from conftest import copy_project
from typer.testing import CliRunner

from flows.cli.app import app
from sightline.registry.promotion import champion
from sightline.tracking.runs import connect
from sightline.verify.unused import unused

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths

DAY = 24 * 3600


@pytest.fixture
def aged(trained: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A project of which everything but one result was used forty days ago."""
    paths = copy_project(trained, tmp_path / "aged", monkeypatch)
    then = time.time() - 40 * DAY
    for folder in (paths.runs, paths.mlflow / "bundles", paths.mlflow / "forms"):
        for one in folder.rglob("*"):
            os.utime(one, (then, then))
    fresh = paths.runs / "pretrain" / "fresh"
    fresh.mkdir()
    os.utime(fresh, (then + 40 * DAY, then + 40 * DAY))
    return paths


def weights_of(paths: Paths, place: str) -> str:
    return str(json.loads((paths.root / place / "result.json").read_bytes())["weights"])


def test_what_the_champion_is_made_of_is_kept(aged: Paths) -> None:
    crowned = connect(aged).version(connect(aged).classifier_model, champion(connect(aged)))
    found = {one.path for one in unused(aged, 30)}
    stages = {path.parent.relative_to(aged.root).as_posix() for path in aged.runs.glob("*/*/result.json")}
    own = {place for place in stages if weights_of(aged, place) == crowned.tags["weights"]}
    assert len(own) == 1
    assert stages - own <= found
    assert not own & found
    assert not [path for path in found if path.startswith(("mlflow", "runs/evaluate", "runs/pretrain/fresh"))]


def test_what_was_used_lately_is_kept(aged: Paths) -> None:
    assert not unused(aged, 41)
    used = next(aged.runs.glob("scratch/*"))
    os.utime(used)
    assert used.relative_to(aged.root).as_posix() not in {one.path for one in unused(aged, 30)}


def test_a_project_that_rests_loses_nothing(aged: Paths) -> None:
    """Age is counted from what was used last."""
    (aged.runs / "pretrain" / "fresh").rmdir()
    for folder in (aged.runs, aged.runs / "pretrain"):
        os.utime(folder)
    assert not unused(aged, 30)


def test_a_file_from_the_future_makes_nothing_old(aged: Paths) -> None:
    (aged.runs / "pretrain" / "fresh").rmdir()
    for folder in (aged.runs, aged.runs / "pretrain"):
        os.utime(folder)
    used = next(aged.runs.glob("scratch/*"))
    os.utime(used, (time.time() + 1000 * DAY,) * 2)
    assert not unused(aged, 30)


def test_clean_lists_and_removes_only_when_it_is_told_to(aged: Paths) -> None:
    found = unused(aged, 30)
    listed = CliRunner().invoke(app, ["clean"])
    assert listed.exit_code == 0
    assert "`sightline clean --yes` removes them" in listed.stdout
    assert all((aged.root / one.path).exists() for one in found)
    assert (
        "`sightline clean --days 0.5 --yes` removes them" in CliRunner().invoke(app, ["clean", "--days", "0.5"]).stdout
    )
    removed = CliRunner().invoke(app, ["clean", "--yes", "--json"])
    assert {one["path"] for one in json.loads(removed.stdout)} == {one.path for one in found}
    assert not any((aged.root / one.path).exists() for one in found)
    assert not unused(aged, 30)


def test_links_are_left_alone(aged: Paths, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = aged.runs / "scratch" / "link"
    link.symlink_to(tmp_path / "elsewhere")
    assert "runs/scratch/link" not in {one.path for one in unused(aged, 30)}
    link.unlink()
