"""What in a folder of strangers may be opened: its regular files, and links to such; nothing that leads elsewhere."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEAVES = "link that leaves the folder"
NOWHERE = "link that leads nowhere, or in a circle"
TO_FOLDER = "link to a folder: not followed"
SPECIAL = "not a regular file"
CLOSED = "cannot be read"


class Entry(NamedTuple):
    """A file or a folder, or what is neither."""

    path: str
    """Relative to where the walk began, with forward slashes."""
    is_folder: bool
    reason: str | None
    """Why nothing of it may be read; None where it may."""


def why_closed(path: str, inside: str) -> str | None:
    """Why the entry at `path` must not be opened, where only what lies in the real path `inside` may; None if it may.

    Only looks: a pipe that is opened waits for ever, a device may never end.
    """
    try:
        mode = os.lstat(path).st_mode
    except (OSError, ValueError):
        return None  # nothing is there: whoever opens it is told
    if not stat.S_ISLNK(mode):
        return None if stat.S_ISREG(mode) else SPECIAL
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 — a million files
    except OSError:
        mode = 0
    if stat.S_ISDIR(mode):
        return TO_FOLDER
    # realpath, unlike Path.resolve, bears links that lead in a circle.
    if not (os.path.realpath(path) + os.sep).startswith(inside + os.sep):
        return LEAVES
    return None if stat.S_ISREG(mode) else SPECIAL if mode else NOWHERE


def is_open(folder: Path, file: Path) -> bool:
    """Whether `file`, somewhere below `folder`, is one that may be opened."""
    inside, place = os.path.realpath(folder), os.path.realpath(file.parent)
    within = (place + os.sep).startswith(inside + os.sep)
    return within and os.path.isfile(file) and why_closed(os.path.join(place, file.name), inside) is None  # noqa: PTH113, PTH118


def of_entry(entry: os.DirEntry[str], inside: str) -> str | None:
    """The same for what `os.scandir` lists, which for most files asks the system nothing; folders are not asked of."""
    return None if entry.is_file(follow_symlinks=False) else why_closed(entry.path, inside)


def entries(folder: str) -> Iterator[Entry]:
    """Everything below `folder`, hidden or not, each folder before what lies in it."""
    yield from _below(folder, "", os.path.realpath(folder))


def _below(place: str, prefix: str, inside: str) -> Iterator[Entry]:
    try:
        with os.scandir(place) as listed:
            found = sorted(listed, key=lambda entry: entry.name)
    except OSError:
        yield Entry(prefix.removesuffix("/"), is_folder=True, reason=CLOSED)
        return
    for entry in found:
        path = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            yield Entry(path, is_folder=True, reason=None)
            yield from _below(entry.path, f"{path}/", inside)
        else:
            yield Entry(path, is_folder=False, reason=of_entry(entry, inside))
