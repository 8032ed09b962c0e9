"""Archives of strangers, unpacked: only their regular files, only below the target, never more than was said.

What an archive says of itself is not trusted: bytes are counted as they come.
"""

from __future__ import annotations

import lzma
import posixpath
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, NamedTuple

from sightline.data.sources import copying, tars
from sightline.data.tars import check_end
from sightline.errors import DataError
from sightline.words import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
MOST_FILES = 10_000_000
RATIO = 200
"""An archive that swells to more than so many times its size is a bomb: images hardly compress."""
SMALL = 256 << 20
"""Bytes that any archive may swell to."""
SPARE = 1 << 30
"""Bytes that stay free on the disk."""
CHUNK = 1 << 20
UTF8, LOCKED = 0x800, 0x1
"""Flags of a file in a zip: its name is UTF-8; it asks for a password."""
REGULAR, KIND = 0o100000, 0o170000
IRREGULAR = "a link or device in an archive"
BROKEN = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(NotImplementedError, RuntimeError, UnicodeError, ValueError),
)


class Member(NamedTuple):
    """A file in an archive."""

    name: str
    reason: str | None
    """Why it is not unpacked."""
    open: Callable[[], IO[bytes] | None]


def is_archive(given: Path) -> bool:
    """Whether it is a file that is unpacked, by its name."""
    return given.name.lower().endswith(ENDINGS) and given.is_file()


def unpack(archive: Path, target: Path) -> list[str]:
    """Unpack the files of an archive into the new folder `target`, and say what was left out.

    Tar shards, whose labels lie beside the images, stay as they are. Raises DataError where it is damaged, a bomb,
    locked by a password or larger than the disk; nothing is left then.
    """
    if archive.suffix.lower() == ".tar" and _is_shard(archive):
        target.mkdir(parents=True)
        copying.clone(archive, target / archive.name)
        return []
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpacked-", dir=target.parent) as scratch:
        place = Path(scratch) / "whole"
        place.mkdir()
        left = _write_all(archive, place)
        if not any(place.iterdir()):
            raise DataError(f"{archive} holds no file that can be unpacked{_because(left)}")
        # Once more through the walk by which folders are copied: nothing hidden, no link, nothing special.
        left |= copying.copy_folder(place, target)
    return [copying.sentence(left)] if left else []


def room(archive: Path, place: Path) -> int:
    """Bytes that a file may swell to at `place`."""
    return min(max(RATIO * archive.stat().st_size, SMALL), shutil.disk_usage(place).free - SPARE)


def _because(left: copying.Left) -> str:
    return f"; {copying.sentence(left)}" if left else ""


def _is_shard(archive: Path) -> bool:
    return next((item for item in tars.shard(archive) if item.label), None) is not None


def _write_all(archive: Path, place: Path) -> copying.Left:
    left, most = copying.Left(), room(archive, place)
    written = count = 0
    try:
        with _members(archive) as members:
            for member in members:
                count += 1
                if count > MOST_FILES:
                    raise DataError(f"{archive} holds more than {counted(MOST_FILES, 'file')}: unpack it yourself")
                name, reason = _place(member.name), member.reason
                if reason or name is None:
                    left[member.name] = reason or "path that leaves the folder"
                    continue
                written += _write(member, place / name, most - written, archive)
    except BROKEN as error:
        what = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{archive} cannot be unpacked: {what}; unpack it yourself and name the folder") from None
    return left


def _place(name: str) -> str | None:
    """Where a member goes below the target; None where its name leads out of it, or nowhere."""
    path = posixpath.normpath(name)
    if path in {"", ".", ".."} or path.startswith(("/", "../")) or "\0" in path or path[1:3] == ":/":
        return None
    return path


def _write(member: Member, place: Path, most: int, archive: Path) -> int:
    """Write a member and say its bytes."""
    written = 0
    place.parent.mkdir(parents=True, exist_ok=True)
    source = member.open()
    if source is None:
        return 0
    # Through no link: no member that is one was written.
    with source, place.open("wb") as file:
        while chunk := source.read(CHUNK):
            written += len(chunk)
            if written > most:
                raise DataError(
                    f"{archive} swells to more than {RATIO} times its size, or than the disk holds: a bomb, or no "
                    "images; unpack it yourself and name the folder"
                )
            file.write(chunk)
    return written


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[Member]]:
    if archive.suffix.lower() == ".zip":
        with zipfile.ZipFile(archive) as found:
            yield (_of_zip(found, one) for one in found.infolist() if not one.is_dir())
    else:
        with tarfile.open(archive, "r:*", errors="surrogateescape") as found_tar:
            yield _of_tar_file(found_tar, archive)


def _of_tar_file(found: tarfile.TarFile, archive: Path) -> Iterator[Member]:
    yield from (_of_tar(found, one) for one in found if not one.isdir())
    if archive.suffix.lower() == ".tar":
        # Of a compressed file that is cut the decompressor tells.
        check_end(found)


def _of_zip(found: zipfile.ZipFile, one: zipfile.ZipInfo) -> Member:
    mode = one.external_attr >> 16
    reason = None
    if mode & KIND not in {0, REGULAR}:
        reason = IRREGULAR
    elif one.flag_bits & LOCKED:
        raise DataError(f"{found.filename} is locked by a password: unpack it yourself and name the folder")
    return Member(_spelled(one), reason, lambda: found.open(one))


def _spelled(one: zipfile.ZipInfo) -> str:
    """The name, in UTF-8 where it was written so without a word, and with forward slashes."""
    name = one.filename
    if not one.flag_bits & UTF8:
        with suppress(UnicodeError):
            name = name.encode("cp437").decode()
    return name.replace("\\", "/")


def _of_tar(found: tarfile.TarFile, one: tarfile.TarInfo) -> Member:
    reason = None if one.isreg() and not one.issparse() else IRREGULAR
    return Member(one.name, reason, lambda: found.extractfile(one))
