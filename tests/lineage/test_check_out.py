"""The project's files of the commit that a version names."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from conftest import commit

from sightline.digests import git
from sightline.errors import RegistryError
from sightline.lineage.reproduce import check_out
from sightline.project import Paths

if TYPE_CHECKING:
    from pathlib import Path


def test_commit_from_before_the_project_is_no_lost_one(toy: Paths, tmp_path: Path) -> None:
    """In a larger repository a version may be older than the commit that holds the project: that one has no files."""
    shutil.rmtree(toy.root / ".git")
    outer = tmp_path / "larger"
    outer.mkdir()
    (outer / "notes.txt").write_text("mine", encoding="utf-8")
    subprocess.run(["git", "init", "--quiet"], cwd=outer, check=True)
    commit(Paths(outer), "before")
    paths = Paths(toy.root.rename(outer / "parts"))
    before = git(outer, "rev-parse", "HEAD").decode().strip()
    commit(paths, "the project")
    after = git(outer, "rev-parse", "HEAD").decode().strip()
    there = tmp_path / "there"
    there.mkdir()
    assert not check_out(paths, there, before)
    assert list(there.iterdir()) == []
    assert check_out(paths, there, after)
    assert (there / "params.yaml").read_bytes() == (paths.root / "params.yaml").read_bytes()
    with pytest.raises(RegistryError, match=f"git does not hold commit {'0' * 40} any more: `git fetch` it"):
        check_out(paths, there, "0" * 40)
