"""Folders that stay where they are (`raw: external`): DVC watches a listing of them, not their bytes.

The version of such a set is its manifest, which holds the digest of every file; `dvc pull` cannot bring the images.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from sightline.data.versions import dvc
from sightline.errors import DataError
from sightline.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.project import Paths

EXTERNAL = "external"


def is_external(paths: Paths, use: str) -> bool:
    """Whether the images of data set `use` stay outside of the project."""
    return paths.params.datasets[use].raw == EXTERNAL


def is_raw(paths: Paths, use: str) -> bool:
    """Whether they lie in data/raw, and are there."""
    return not is_external(paths, use) and paths.raw(use).is_dir()


def write_listings(paths: Paths) -> None:
    """Write data/external/NAME for each external set: it changes when a file comes, goes or changes.

    Raises DataError where the folder of a set is missing.
    """
    folder = paths.root / "data" / EXTERNAL
    folder.mkdir(parents=True, exist_ok=True)
    for use in paths.params.datasets:
        place = folder / use
        if not is_external(paths, use):
            place.unlink(missing_ok=True)
            continue
        _check(paths, use)
        text = _listing(paths.raw(use))
        if not place.is_file() or place.read_bytes() != text.encode():
            write_atomically(place, text)


def check_folders(paths: Paths) -> None:
    """Raise DataError, with the remedy, where the images of a data set are not where they were."""
    for use in paths.params.datasets:
        if is_external(paths, use):
            _check(paths, use)
        else:
            dvc.check_raw(paths, use)


def _check(paths: Paths, use: str) -> None:
    if not paths.raw(use).is_dir():
        raise DataError(
            f"{paths.raw(use)}: there is no such folder. datasets.{use} is external, so `dvc pull` cannot bring "
            f"its images: bring the folder back, or write into params.yaml where it is now"
        )


def _listing(folder: Path) -> str:
    """Number of files, and a digest of their paths, sizes and times of change."""
    digest, count = hashlib.sha256(), 0
    for line in _lines(folder):
        digest.update(os.fsencode(line) + b"\0")
        count += 1
    return f"{count} files, {digest.hexdigest()}\n"


def _lines(folder: Path) -> Iterator[str]:
    for where, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(where, name)  # noqa: PTH118 — a million files
            known = os.lstat(path)
            yield f"{os.path.relpath(path, folder)} {known.st_size} {known.st_mtime_ns}"
