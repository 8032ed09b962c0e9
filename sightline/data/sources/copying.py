"""Copies of images for a new project. What may be opened is decided here, before DVC stores what it reads."""

from __future__ import annotations

import os
import shutil
import unicodedata
from typing import TYPE_CHECKING

from sightline.data.sources import tables
from sightline.data.sources.entries import CLOSED, entries
from sightline.errors import DataError
from sightline.files import write_atomically
from sightline.words import visible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Left = dict[str, str]
"""Path of a file that was left out → why."""
MISSING = "there is no such file"
NAMED = 10
"""Files that a sentence names before it counts the others."""


def copy_folder(origin: Path, target: Path) -> Left:
    """Copy what may be read; a link that stays inside becomes a file with the bytes that it leads to."""
    target.mkdir(parents=True)
    left = {}
    for entry in entries(os.fspath(origin)):
        if entry.reason:
            left[entry.path] = entry.reason
        elif entry.is_folder:
            (target / entry.path).mkdir()
        elif reason := clone(origin / entry.path, target / entry.path):
            left[entry.path] = reason
    return left


def copy_table(table: Path, target: Path) -> Left:
    """Copy the images that a table lists, and write it anew beside them as labels.csv, with the paths as they are.

    Raises DataError, with the first line, where none of the images is there.
    """
    target.mkdir(parents=True)
    left, kept, inside = {}, [], os.path.realpath(table.parent)
    spelled: dict[str, str] | None = None
    first = ""
    for number, row in tables.rows(table):
        path = tables.plain_path(row, inside)
        if path and not (table.parent / path).exists():
            spelled = _spellings(table.parent) if spelled is None else spelled
            path = spelled.get(_loosely(path), path)
        reason = tables.why_closed(inside, path)
        if reason is None and not (table.parent / path).exists():
            reason = MISSING
        if reason is None:
            place = target / path
            place.parent.mkdir(parents=True, exist_ok=True)
            reason = clone(table.parent / path, place)
        if reason:
            left[path] = reason
            first = first or f"line {number}: {visible(path) or 'no path'} ({reason})"
        kept.append({**row, "path": path})
    if len(left) == len({row["path"] for row in kept}):
        raise DataError(f"{table} lists no image that is there; {first}. Paths are relative to the table's folder")
    write_atomically(target / tables.NAMES[0], tables.as_text(kept))
    return left


def _spellings(folder: Path) -> dict[str, str]:
    """The paths of all files, by what is left of them without the case of letters and the form of accents."""
    found: dict[str, str] = {}
    for entry in entries(os.fspath(folder)):
        if not entry.is_folder and not entry.reason:
            key = _loosely(entry.path)
            # Two files that differ in nothing else: neither is meant for sure.
            found[key] = "" if key in found else entry.path
    return {key: path for key, path in found.items() if path}


def _loosely(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def clone(origin: Path, place: Path) -> str | None:
    """Copy a file, sharing its blocks where the file system can; why it could not be read, or None."""
    from dvc_objects.fs.system import reflink

    real = os.path.realpath(origin)
    if not os.access(real, os.R_OK):
        return CLOSED
    try:
        reflink(real, os.fspath(place))
    except OSError:
        shutil.copyfile(real, place)
    return None


def as_name(label: str) -> str:
    """A class as the name of one folder, which the walk does not pass over."""
    name = label.strip().replace("/", "_")
    return name if name and not name.startswith(".") else f"_{name}"


def sentence(left: Mapping[str, str]) -> str:
    """Which files were left out and why, and what to do about links."""
    named = ", ".join(f"{visible(path)} ({reason})" for path, reason in list(left.items())[:NAMED])
    more = f" and {len(left) - NAMED:,} more" if len(left) > NAMED else ""
    links = ". To take what links lead to, copy the folder with `cp -RL` first" if "link" in named else ""
    return f"left out, unread: {named}{more}{links}"
