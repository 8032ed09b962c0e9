"""A folder under git and DVC: made so where it is not yet."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from sightline.errors import ProjectError
from sightline.project import environment

if TYPE_CHECKING:
    from pathlib import Path


def make(folder: Path) -> bool:
    """Git and DVC, each where it is not there yet; whether the git repository is new."""
    new = not _inside_git(folder)
    if new:
        run(folder, "git", "init", "--quiet", "--initial-branch=main")
    if not (folder / ".dvc").is_dir():
        own = (folder / ".git").is_dir()
        run(folder, "dvc", "init", "--quiet", *([] if own else ["--subdir"]))
        # Written rather than set by `dvc config`, which takes a second for each value.
        (folder / ".dvc" / "config").write_text(
            "[core]\n    analytics = false\n    check_update = false\n", encoding="utf-8"
        )
        (folder / ".dvcignore").write_text("/captured/\n", encoding="utf-8")
    return new


def commit(folder: Path) -> None:
    """The first commit of a new repository, so that every run can name the state that it started from."""
    known = subprocess.run(["git", "-C", str(folder), "config", "user.email"], capture_output=True, check=False)
    identity = [] if known.returncode == 0 else ["-c", "user.name=sightline", "-c", "user.email=sightline@localhost"]
    run(folder, "git", "add", "--all")
    run(folder, "git", *identity, "commit", "--quiet", "--message", "New Sightline project")


def _inside_git(folder: Path) -> bool:
    """Whether `folder` belongs to a git repository that does not ignore it."""
    if (folder / ".git").exists():
        return True
    inside = subprocess.run(["git", "-C", str(folder), "rev-parse"], capture_output=True, check=False).returncode == 0
    ignored = subprocess.run(
        ["git", "-C", str(folder), "check-ignore", "--quiet", "."], capture_output=True, check=False
    )
    return inside and ignored.returncode != 0


def run(folder: Path, *words: str) -> None:
    """Run git or dvc in `folder`; raises ProjectError with what it said where it fails."""
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=environment(folder.resolve(), os.environ),
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise ProjectError(f"{words[0]} is not on the PATH: install it, then try again") from None
    if done.returncode:
        raise ProjectError(f"{' '.join(words)} failed in {folder}: {_why(done)}")


def _why(done: subprocess.CompletedProcess[str]) -> str:
    """What a command said of its failure; never nothing."""
    lines = [line.strip() for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    errors = [line for line in lines if line.upper().startswith(("ERROR", "FATAL"))]
    return " ".join(errors or lines[-5:]) or f"it ended with status {done.returncode} and said nothing"
