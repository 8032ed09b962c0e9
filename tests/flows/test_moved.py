"""A trained project that was copied, and one that was renamed: every command works in both, on its own files."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from commands import asked
from conftest import commit, make_images, make_project

if TYPE_CHECKING:
    from pathlib import Path


def stamps(root: Path) -> dict[str, tuple[int, int, int]]:
    """What a file or folder below `root` would not keep if anybody wrote there."""
    known = {path: path.lstat() for path in root.rglob("*")}
    return {str(path.relative_to(root)): (one.st_ino, one.st_size, one.st_mtime_ns) for path, one in known.items()}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_copy_and_renamed_original_are_independent(tmp_path: Path) -> None:
    """The copy names no path of the original, which stays as it is; renamed, that works on where it now lies."""
    images = make_images(tmp_path / "images", per_class=20)
    paths = make_project(tmp_path / "toy project", images)
    commit(paths, "first")
    original = paths.root
    assert asked(original, "run")["outcome"]["champion"] == "1"
    copy = shutil.copytree(original, tmp_path / "another place" / "toy project", symlinks=True)
    before = stamps(original)
    trace = tmp_path / "trace" if shutil.which("strace") else None
    for words in commands(images):
        asked(copy, *words, trace=trace)
        assert trace is None or f'"{original}' not in trace.read_text(), words
    assert stamps(original) == before
    renamed = original.rename(tmp_path / "renamed")
    assert asked(renamed, "run")["outcome"]["champion"] == "1"
    asked(renamed, "evaluate")
    assert not original.exists()
    assert asked(copy, "run", "--set", "finetune.scratch.min_steps=40")["outcome"]["version"] == "2"
    assert {one["version"] for one in asked(renamed, "history")} == {"1"}


def commands(images: Path) -> tuple[tuple[str, ...], ...]:
    """Those that read or write files of a project."""
    image = str(next((images / "blue").iterdir()))
    asking = (("predict", image), ("evaluate",), ("lineage",), ("impact", image), ("history",), ("reproduce", "1"))
    return ("doctor", "--deep"), ("run",), *asking, ("data", "log")
