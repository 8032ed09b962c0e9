"""A change of labels and of what they are about, made whole or not at all, and the way back from the last one."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

from sightline import stored
from sightline.data.versions import history
from sightline.digests import file_digest
from sightline.errors import Damaged, DataError
from sightline.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sightline.project import Paths

UNDO = ".undo"
"""Ending of what is kept for the way back."""
RELEASE = "release"
"""Under which that says what test release the change made."""


def make(paths: Paths, use: str, files: Mapping[Path, bytes | None], note: str) -> None:
    """Put the files in place, keep what was there for `undo`, and make the new version; or leave all as it was."""
    way_back = _place(paths, use)
    before = {place: place.read_bytes() if place.is_file() else None for place in [*files, way_back]}
    _remember(paths, use, {place: before[place] for place in files}, files, note)
    try:
        _put(files)
        history.ingest(paths, use, note)
    except BaseException:
        _put(before)
        raise


def note_release(paths: Paths, use: str, name: str) -> None:
    """Keep for the way back that the last change made the test release of that name."""
    said = stored.unseal(_place(paths, use), needed=["note", "files"])
    write_atomically(_place(paths, use), stored.seal({**said, RELEASE: name}))


def release_of(paths: Paths, use: str) -> str | None:
    """The test release that the last change on this machine made, if it made one."""
    with suppress(Damaged):
        return stored.unseal(_place(paths, use)).get(RELEASE)
    return None


def undo(paths: Paths, use: str) -> str:
    """Take back the last change on this machine, and make the version without it; its note.

    Raises DataError where there is none, or where one of its files was changed since.
    """
    try:
        said = stored.unseal(_place(paths, use), needed=["note", "files"])
    except Damaged:
        raise DataError(
            f"{use}: there is nothing to undo: no label was imported on this machine since the last undo; "
            "`git log data/labels` tells of all imports, `git checkout COMMIT -- data/labels` goes back to any"
        ) from None
    before: dict[Path, bytes | None] = {}
    for one in said["files"]:
        place = paths.root / one["path"]
        if (file_digest(place) if place.is_file() else None) != one["after"]:
            raise DataError(f"{place} was changed since the import: undo by hand, `git diff {one['path']}` tells how")
        before[place] = None if one["before"] is None else bytes.fromhex(one["before"])
    now = {place: place.read_bytes() if place.is_file() else None for place in before}
    try:
        _put(before)
        history.ingest(paths, use, f"undone: {said['note']}")
    except BaseException:
        _put(now)
        raise
    _place(paths, use).unlink()
    return str(said["note"])


def _remember(
    paths: Paths, use: str, before: Mapping[Path, bytes | None], after: Mapping[Path, bytes | None], note: str
) -> None:
    files = [
        {
            "path": place.relative_to(paths.root).as_posix(),
            "before": None if held is None else held.hex(),
            "after": None if (data := after[place]) is None else hashlib.sha256(data).hexdigest(),
        }
        for place, held in before.items()
    ]
    write_atomically(_place(paths, use), stored.seal({"note": note, "files": files}))


def _put(files: Mapping[Path, bytes | None]) -> None:
    for place, data in files.items():
        if data is None:
            place.unlink(missing_ok=True)
        else:
            write_atomically(place, data)


def _place(paths: Paths, use: str) -> Path:
    """Beside what else this machine alone knows."""
    return paths.cache(use).with_suffix(UNDO)
