"""What a disk refuses, said as that: it is full, or not ours to write, or an image on it is gone."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.errors import SightlineError
from sightline.project import machine_cache

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBERS = {errno.ENOSPC, errno.EDQUOT}
WORDS = ("No space left on device", "disk is full", "Disk quota exceeded")
"""What Python, SQLite and the libraries in C say."""
SHUT = {errno.EROFS, errno.EACCES, errno.EPERM}
READ_ONLY = "readonly database"
"""What SQLite says."""
LEAST = 2**18
"""Bytes free below which a disk counts as full: whoever writes more fails, and may not say why."""


def is_about_space(error: BaseException) -> bool:
    """Whether `error`, or one that led to it, says that a disk is full."""
    return any(_says_so(one) for one in _chain(error))


def sentences(root: Path, error: Exception) -> list[str]:
    """What to tell a user of an error that ends a command: our own ones, and of a disk; none of a bug."""
    ours = [str(error)] if isinstance(error, SightlineError) and not is_about_space(error) else []
    refused = told(root, error) or (None if ours else shut(root, error) or gone(root, error))
    return [*ours, refused] if refused else ours


def told(root: Path, error: BaseException) -> str | None:
    """That a disk is full, in a sentence with what helps; None where neither `error` nor any disk in use says so."""
    places = [root, Path(tempfile.gettempdir()), *filter(None, [machine_cache()])]
    # Of a copy the first name is what was read.
    full = (one.filename2 or one.filename for one in _chain(error) if isinstance(one, OSError) and _names(one))
    named = next((Path(str(place)) for place in full), None)
    least = min(places, key=_free)
    if not is_about_space(error) and _free(least) >= LEAST:
        return None
    place = named or least
    return (
        f"the disk is full: {place} could not be written, {_free(place) / 2**20:.1f} MiB are free there. Nothing is "
        "lost: make space (`sightline clean` lists what training left behind and nothing uses), then give the same "
        "command again, and it goes on"
    )


def shut(root: Path, error: BaseException) -> str | None:
    """That a place must not be read or written, in a sentence with what helps; None where no such thing happened."""
    for one in _chain(error):
        if isinstance(one, OSError) and one.errno in SHUT and one.filename is not None:
            place = Path(os.fsdecode(one.filename))
        elif READ_ONLY in str(one):
            place = root
        else:
            continue
        there, why = _nearest(place), "this user has no right to"
        if there == place and not os.access(there, os.R_OK, effective_ids=True):
            return f"{place} cannot be read: {why}; ask whoever it belongs to"
        if not os.access(there, os.W_OK, effective_ids=True):
            if getattr(one, "errno", None) == errno.EROFS:
                why = "its file system is for reading alone"
            return (
                f"{place} cannot be written: {why}. Commands that answer (`sightline predict`, `score`, `export`) do "
                "without it; for all else work in a copy of the project, or have the right to write there given to you"
            )
    return None


def gone(root: Path, error: BaseException) -> str | None:
    """That an image of a data set was taken away, in a sentence with what helps; None where no such thing happened."""
    for one in _chain(error):
        if isinstance(one, FileNotFoundError) and one.filename is not None:
            place = Path(os.fsdecode(one.filename)).absolute()
            if place.is_relative_to(root.absolute() / "data" / "raw"):
                return (
                    f"{place} is gone, which the data set's version has: `sightline data status` tells what changed, "
                    "`sightline run` makes the next version without it, `dvc checkout` brings it back"
                )
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    waiting = [error]
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.append(one)
            yield one
            waiting += [other for other in (one.__context__, one.__cause__) if other is not None]


def _says_so(error: BaseException) -> bool:
    return getattr(error, "errno", None) in NUMBERS or any(words in str(error) for words in WORDS)


def _names(error: OSError) -> bool:
    return error.errno in NUMBERS and error.filename is not None


def _free(place: Path) -> int:
    """Bytes left for `place`, or for the nearest folder above it that is there."""
    return shutil.disk_usage(_nearest(place)).free


def _nearest(place: Path) -> Path:
    """The place itself, or the nearest folder above it that is there."""
    return next((one for one in (place, *place.parents) if os.path.exists(one)), Path())  # noqa: PTH110 — no right to look is no error
