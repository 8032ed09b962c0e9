"""The members of a tar file, without unpacking it: nothing of it is ever written to disk."""

from __future__ import annotations

import errno
import os
import tarfile
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sightline.errors import DataError
from sightline.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator


class EndsEarly(DataError):
    """A tar file that was cut, or is damaged behind its first files: how many more it held nobody can tell."""


class Member(NamedTuple):
    """A regular file inside a tar file."""

    name: str
    offset: int
    """Where its bytes begin in the tar file."""
    size: int


def members(tar: str | os.PathLike[str]) -> Iterator[Member]:
    """The regular files in an uncompressed tar file, in its order; none where it is no tar file.

    Raises OSError where it cannot be opened, and EndsEarly behind the last whole file where it is cut or damaged.
    """
    end, whole = os.stat(tar).st_size, 0  # noqa: PTH116
    try:
        archive = tarfile.open(tar, "r:", errors="surrogateescape")  # noqa: SIM115 — below
    except tarfile.TarError:
        return
    with archive:
        try:
            for member in archive:
                # A hole in a sparse file, or bytes behind the end, are not an image.
                if member.isreg() and member.offset_data + member.size <= end:
                    whole += 1
                    if not member.issparse():
                        yield Member(member.name.removeprefix("./"), member.offset_data, member.size)
                # tarfile keeps every header that it has seen.
                archive.members.clear()  # type: ignore[attr-defined]
            check_end(archive)
        except tarfile.TarError:
            name = Path(tar).name
            raise EndsEarly(
                f"{name} ends early or is damaged, after {counted(whole, 'file')}: download it again"
            ) from None


def check_end(archive: tarfile.TarFile) -> None:
    """Raise tarfile.ReadError where what follows the last member that tarfile came upon is no end.

    A header that is cut or damaged ends its iteration as zeros do. A file that stops where a member does is whole, as
    for every other reader: many programs write no zeros behind.
    """
    file = archive.fileobj
    assert file is not None  # noqa: S101 — it is open
    file.seek(archive.offset)
    if any(file.read(tarfile.BLOCKSIZE)):
        raise tarfile.ReadError("a header is cut or damaged")


def find(place: str) -> tuple[str, int, int]:
    """The tar file that a path such as `shard-000.tar/0001.jpg` leads into, where the member begins, and its size.

    Raises OSError where there is no such tar file, or no such member in it.
    """
    tar, _, name = place.partition(".tar/")
    tar += ".tar"
    offset, size = _index(tar, os.stat(tar).st_mtime_ns).get(name, (0, -1))  # noqa: PTH116
    if size < 0:
        raise FileNotFoundError(errno.ENOENT, f"{tar} holds no {name}")
    return tar, offset, size


@lru_cache(maxsize=4)
def _index(tar: str, _changed: int) -> dict[str, tuple[int, int]]:
    """Name of each member → where its bytes begin, and how many they are."""
    found: dict[str, tuple[int, int]] = {}
    with suppress(EndsEarly):
        found.update((member.name, (member.offset, member.size)) for member in members(tar))
    return found
