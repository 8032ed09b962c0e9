"""A full disk, said as that: what libraries make of it rarely names it."""

from __future__ import annotations

import errno
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
LEAST = 2**18
"""Bytes free below which a disk counts as full: whoever writes more fails, and may not say why."""


def is_about_space(error: BaseException) -> bool:
    """Whether `error`, or one that led to it, says that a disk is full."""
    return any(_says_so(one) for one in _chain(error))


def sentences(root: Path, error: Exception) -> list[str]:
    """What to tell a user of an error that ends a command: our own ones, and that a disk is full; none of a bug."""
    ours = [str(error)] if isinstance(error, SightlineError) and not is_about_space(error) else []
    full = told(root, error)
    return [*ours, full] if full else ours


def told(root: Path, error: BaseException) -> str | None:
    """That a disk is full, in a sentence with what helps; None where neither `error` nor any disk in use says so."""
    places = [root, Path(tempfile.gettempdir()), *filter(None, [machine_cache()])]
    named = next((Path(str(one.filename)) for one in _chain(error) if isinstance(one, OSError) and _names(one)), None)
    least = min(places, key=_free)
    if not is_about_space(error) and _free(least) >= LEAST:
        return None
    place = named or least
    return (
        f"the disk is full: {place} could not be written, {_free(place) / 2**20:.1f} MiB are free there. Nothing is "
        "lost: make space (`sightline clean` lists what training left behind and nothing uses), then give the same "
        "command again, and it goes on"
    )


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
    there = next((one for one in (place, *place.parents) if one.exists()), Path())
    return shutil.disk_usage(there).free
