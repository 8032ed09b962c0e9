"""What git holds of a project, in one commit: values, DVC's files, logs, labels, releases, baselines, and no image."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from sightline.digests import git, is_under_git
from sightline.errors import ProjectError

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths

NAMES = (
    "params.yaml",
    "dvc.yaml",
    "dvc.lock",
    "prefect.yaml",
    "prefect.toml",
    ".gitignore",
    ".dvcignore",
    ".dvc/config",
    ".dvc/.gitignore",
    ".prefect/.gitkeep",
    "data/baseline",
    "data/history",
    "data/labels",
    "data/releases",
    "data/raw/*.dvc",
    "data/raw/.gitignore",
    "data/raw/.dvcignore",
)
"""Files and folders that a clone needs; whatever else lies in the project is its user's to commit."""
ANYBODY = ("-c", "user.name=sightline", "-c", "user.email=sightline@localhost")
"""Who commits where git knows nobody."""


def unsaved(paths: Paths) -> list[str]:
    """Those of NAMES that git does not hold as they are, below the project.

    Raises ProjectError where the project is not under git.
    """
    if not is_under_git(paths.root):
        raise ProjectError(f"{paths.root} is not under git: `git init` there, then ask again")
    listed = git(
        paths.root, "ls-files", "-z", "--modified", "--deleted", "--others", "--exclude-standard", "--", *NAMES
    )
    staged = git(paths.root, "diff", "--cached", "--name-only", "--relative", "-z", "--", *NAMES)
    return sorted({name.decode(errors="replace") for name in (listed + staged).split(b"\0") if name})


def save(paths: Paths, message: str) -> str:
    """Commit what is unsaved, and nothing else that may be staged; the commit.

    Raises ProjectError where git refuses.
    """
    names = unsaved(paths)
    known = git(paths.root, "config", "user.email")
    _git(paths.root, "add", "--", *names)
    _git(paths.root, *(() if known else ANYBODY), "commit", "--quiet", "--message", message, "--", *names)
    return git(paths.root, "rev-parse", "HEAD").decode().strip()


def has_remote(paths: Paths) -> bool:
    """Whether DVC knows a place beside this machine to keep the images at."""
    places = (paths.root / ".dvc" / name for name in ("config", "config.local"))
    return any("remote" in place.read_text(encoding="utf-8") for place in places if place.is_file())


def _git(root: Path, *words: str) -> None:
    done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        said = " ".join((done.stderr.strip() or done.stdout.strip()).split())
        raise ProjectError(f"git refuses to commit in {root}: {said}")
