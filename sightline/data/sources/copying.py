"""Copies of images for a new project. What may be opened is decided here, before DVC stores what it reads."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

from sightline.data.sources import tables
from sightline.data.sources.entries import CLOSED, entries, stores
from sightline.files import write_atomically
from sightline.words import visible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Left = dict[str, str]
"""Path of a file that was left out → why."""
NAMED = 10
"""Files that a sentence names before it counts the others."""


def copy_folder(origin: Path, target: Path) -> Left:
    """Copy what may be read, but nothing hidden; a link that stays inside becomes what it leads to."""
    target.mkdir(parents=True)
    left = {}
    stores.cache_clear()
    for entry in entries(os.fspath(origin)):
        if entry.hidden:
            continue
        if entry.reason:
            left[entry.path] = entry.reason
        elif entry.is_folder:
            (target / entry.path).mkdir()
        elif reason := clone(origin / entry.path, target / entry.path):
            left[entry.path] = reason
    return left


def copy_table(table: Path, target: Path) -> tuple[Left, list[str]]:
    """Copy the images that a table lists, and write it anew beside them as labels.csv, with the paths as they are.

    What was left out, and how the table was read where that is not plain. Raises DataError, with the line, where it
    cannot be read or none of the images is there.
    """
    found, said = tables.listed(table)
    target.mkdir(parents=True)
    left, kept = {}, []
    for one in found:
        place, reason = target / one.path, one.reason
        if reason is None:
            place.parent.mkdir(parents=True, exist_ok=True)
            reason = clone(table.parent / one.path, place)
        if reason:
            left[one.path or f"line {one.line}"] = reason
        kept.append(one._asdict())
    write_atomically(target / tables.NAMES[0], tables.as_text(kept))
    return left, said


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
    if not place.stat().st_mode & stat.S_IWUSR:
        place.chmod(place.stat().st_mode | stat.S_IWUSR)
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
