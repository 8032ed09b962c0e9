"""Files and folders that are written whole or not at all, whatever happens meanwhile."""

from __future__ import annotations

import ctypes
import errno
import glob
import os
import shutil
from contextlib import contextmanager, suppress
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCRATCH = ".tmp"
HERE, EXCHANGE = -100, 2
"""AT_FDCWD and RENAME_EXCHANGE of renameat2(2)."""
_numbers = count()


def write_atomically(path: Path, data: bytes | str) -> None:
    """Put `data` (text as UTF-8, its line ends as they are) into the file `path`; folders are made.

    A kill, a full disk or a power cut leaves the file of before or this one.
    """
    with replacing(path) as scratch:
        scratch.write_bytes(data.encode() if isinstance(data, str) else data)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` at which the caller writes a file or a folder, which then takes the place of `path`.

    Everything is on the disk before it does. Where the caller raises, nothing changes and what was written goes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path)
    scratch = path.with_name(f".{path.name}.{os.getpid()}-{next(_numbers)}{SCRATCH}")
    try:
        yield scratch
        _flush(scratch)
        _replace(scratch, path)
        _sync(path.parent)
    except BaseException:
        _remove(scratch)
        raise


def _flush(written: Path) -> None:
    """Everything at `written` is on the disk afterwards."""
    for inside in written.rglob("*") if written.is_dir() else ():
        _sync(inside)
    _sync(written)


def _sync(place: Path) -> None:
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network file systems sync files, and refuse folders.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(handle)


def _replace(scratch: Path, path: Path) -> None:
    if not (scratch.is_dir() and path.is_dir()):
        scratch.replace(path)
    elif _exchange(scratch, path):
        _remove(scratch)
    else:
        _remove(path)
        scratch.replace(path)


def _exchange(one: Path, other: Path) -> bool:
    """Whether two folders took each other's place in one step: nothing but Linux can, nor every file system there."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    return rename is not None and rename(HERE, os.fsencode(one), HERE, os.fsencode(other), EXCHANGE) == 0


def _sweep(path: Path) -> None:
    """Remove what killed writers left beside `path`: in a folder that DVC keeps it would be part of the version."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*{SCRATCH}"):
        writer = left.name.removeprefix(f".{path.name}.").partition("-")[0]
        if writer.isdecimal() and not _is_alive(int(writer)):
            _remove(left)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    else:
        with suppress(FileNotFoundError):
            place.unlink()
