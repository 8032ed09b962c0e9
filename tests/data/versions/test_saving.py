"""What git holds of a project's data."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from conftest import COLOURS, draw

from sightline.data.versions import history, saving
from sightline.digests import git
from sightline.errors import ProjectError

if TYPE_CHECKING:
    from sightline.project import Paths


def test_one_commit_holds_what_a_clone_needs(ingested: Paths) -> None:
    """DVC's files and the log go in; neither images nor what the user has lying about, staged or not, does."""
    assert saving.unsaved(ingested) == []
    draw(903, COLOURS["blue"]).save(ingested.raw("target") / "blue" / "new.png")
    history.ingest(ingested, "target")
    (ingested.root / "notes.txt").write_text("mine")
    (ingested.root / "staged.txt").write_text("mine, too")
    subprocess.run(["git", "add", "staged.txt"], cwd=ingested.root, check=True)
    wanted = ["data/history/target.jsonl", "data/raw/target.dvc", "dvc.lock"]
    assert saving.unsaved(ingested) == wanted
    commit = saving.save(ingested, "more blue")
    held = git(ingested.root, "show", "--name-only", "--format=%s", commit).decode().split("\n")
    assert [line for line in held if line] == ["more blue", *wanted]
    assert saving.unsaved(ingested) == []
    assert git(ingested.root, "diff", "--cached", "--name-only").decode().split() == ["staged.txt"]
    assert history.log(ingested, "target")[-1]["commit"] == commit[:7]


def test_project_without_git_is_told(ingested: Paths) -> None:
    """There is nothing to commit to."""
    shutil.rmtree(ingested.root / ".git")
    with pytest.raises(ProjectError, match="not under git: `git init`"):
        saving.unsaved(ingested)


def test_remote_is_seen(ingested: Paths) -> None:
    """Whether images have a place beside this machine."""
    assert not saving.has_remote(ingested)
    subprocess.run(
        [sys.executable, "-m", "dvc", "remote", "add", "-d", "store", "../store"], cwd=ingested.root, check=True
    )
    assert saving.has_remote(ingested)
