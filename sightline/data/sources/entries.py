"""What in a folder of strangers may be opened: its regular files, and links to such; nothing that leads elsewhere."""

from __future__ import annotations

import os
import posixpath
import stat
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEAVES = "link that leaves the folder"
NOWHERE = "link that leads nowhere, or in a circle"
TO_FOLDER = "link to a folder: not followed"
SPECIAL = "not a regular file"
CLOSED = "cannot be read"
PROJECT = ".dvc"
"""What lies in a project, which is passed over: its copies of the images are none of the folder's."""
JUNK = frozenset(("__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found", "__pycache__"))
"""Folders that systems put among the images, in lower case: small copies, and what was thrown away."""


class Entry(NamedTuple):
    """A file or a folder, or what is neither."""

    path: str
    """Relative to where the walk began, with forward slashes."""
    is_folder: bool
    reason: str | None
    """Why nothing of it may be read; None where it may."""
    hidden: bool
    """It begins with a dot, or lies in what does, in JUNK, in a project or a store: no image of the data set."""


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
    if not lies_in(os.path.realpath(path), inside):
        return LEAVES
    return None if stat.S_ISREG(mode) else SPECIAL if mode else NOWHERE


def lies_in(place: str, folder: str) -> bool:
    """Whether the real path `place` is the real path `folder`, or lies below it."""
    return (place + os.sep).startswith(folder + os.sep)


def is_open(folder: Path, file: Path) -> bool:
    """Whether `file`, somewhere below `folder`, is one that may be opened."""
    inside, place = os.path.realpath(folder), os.path.realpath(file.parent)
    within = lies_in(place, inside)
    return within and os.path.isfile(file) and why_closed(os.path.join(place, file.name), inside) is None  # noqa: PTH113, PTH118


@lru_cache(maxsize=8)
def stores(folder: str) -> frozenset[str]:
    """Folders, by path, whose files are what links elsewhere in `folder` lead to: their images count where those stand.

    Remembered until `stores.cache_clear`, as a scan asks often.
    """
    inside, targets, sizes = os.path.realpath(folder), dict[str, set[str]](), dict[str, int]()
    for link in () if is_kept(inside) else _links(inside, ""):
        real = os.path.realpath(f"{inside}/{link}")
        target = os.path.relpath(real, inside).replace(os.sep, "/")
        shared = posixpath.commonpath([link, target]) if lies_in(real, inside) else target
        store = "/".join(target.split("/")[: len(shared.split("/")) + 1 if shared else 1])
        # One class that goes by two names is none.
        if target not in {shared, store}:
            targets.setdefault(store, set()).add(real)
    for store, found in targets.items():
        held = [f"{place}/{name}" for place, _, names in os.walk(f"{inside}/{store}") for name in names]
        sizes[store] = sum(not os.path.islink(file) for file in held)  # noqa: PTH114
        led = sum(file in found or any(map(found.__contains__, _above(file, inside))) for file in held)
        if 2 * led <= len(held):
            sizes[store] = 0
    return frozenset(store for store, size in sizes.items() if size)


def _links(inside: str, below: str) -> Iterator[str]:
    with os.scandir(f"{inside}/{below}") as listed:
        for entry in listed:
            if entry.is_symlink():
                yield below + entry.name
            elif entry.is_dir(follow_symlinks=False) and os.access(entry.path, os.R_OK | os.X_OK):
                yield from _links(inside, f"{below}{entry.name}/")


def _above(file: str, inside: str) -> Iterator[str]:
    """The folders that a file lies in, up to `inside`."""
    while len(file := os.path.dirname(file)) > len(inside):  # noqa: PTH120
        yield file


def entries(folder: str, below: str = "") -> Iterator[Entry]:
    """Everything in the part `below` of `folder`, hidden or not, each folder before what lies in it.

    A link to a folder is one, where that lies in `folder` too. Behind it no other such link is followed: there may be
    more ways through links than there are files.
    """
    inside, place = os.path.realpath(folder), os.path.join(folder, below)  # noqa: PTH118
    if not lies_in(os.path.realpath(place), inside):
        yield Entry(below, is_folder=True, reason=LEAVES, hidden=False)
        return
    straight = _follows(inside, below)
    prefix = f"{below.rstrip('/')}/" if below else ""
    yield from _below(place, prefix, inside, stores(folder), straight=straight, hidden=False)


def _below(
    place: str, prefix: str, inside: str, kept: frozenset[str], *, straight: bool, hidden: bool
) -> Iterator[Entry]:
    # scandir and plain text, because os.walk and paths as objects take longer than all else about an unchanged file.
    try:
        with os.scandir(place) as listed:
            found = sorted(listed, key=lambda entry: entry.name)
    except OSError:
        yield Entry(prefix.removesuffix("/"), is_folder=True, reason=CLOSED, hidden=hidden)
        return
    hidden = hidden or (bool(prefix) and any(entry.name == PROJECT for entry in found))
    for entry in found:
        path, dotted = prefix + entry.name, hidden or entry.name.startswith(".")
        if entry.is_file(follow_symlinks=False):
            yield Entry(path, is_folder=False, reason=None, hidden=dotted)
        elif (plain := entry.is_dir(follow_symlinks=False)) or (straight and leads_in(entry, inside)):
            dotted = dotted or entry.name.lower() in JUNK or path in kept
            yield Entry(path, is_folder=True, reason=None, hidden=dotted)
            yield from _below(entry.path, f"{path}/", inside, kept, straight=straight and plain, hidden=dotted)
        else:
            yield Entry(path, is_folder=False, reason=why_closed(entry.path, inside), hidden=dotted)


def folders(folder: str, below: str = "") -> list[str]:
    """The folders that lie in the part `below` of `folder` directly, by name; none that is hidden."""
    inside, place = os.path.realpath(folder), os.path.join(folder, below)  # noqa: PTH118
    straight, kept = _follows(inside, below), stores(folder)
    with os.scandir(place) as listed:
        return sorted(
            one.name
            for one in listed
            if (one.is_dir(follow_symlinks=False) or (straight and leads_in(one, inside)))
            and not one.name.startswith(".")
            and one.name.lower() not in JUNK
            and f"{below}{one.name}" not in kept
        )


def _follows(inside: str, below: str) -> bool:
    """Whether links to folders in the part `below` are followed: behind no other one, nor where DVC keeps the folder.

    It passes them over, and makes files of links to files: another machine would find other images.
    """
    place = os.path.normpath(os.path.join(inside, below))  # noqa: PTH118
    return os.path.realpath(place) == place and not is_kept(inside)


def is_kept(inside: str) -> bool:
    """Whether DVC keeps the folder."""
    return os.path.isfile(f"{inside}.dvc")  # noqa: PTH113


def leads_in(entry: os.DirEntry[str], inside: str) -> bool:
    """Whether it is a link to a folder in the real path `inside` that does not lie in that folder itself."""
    if not (entry.is_symlink() and os.path.isdir(entry.path)):  # noqa: PTH112
        return False
    real, place = os.path.realpath(entry.path), os.path.realpath(os.path.dirname(entry.path))  # noqa: PTH120
    return lies_in(real, inside) and not lies_in(place, real)
