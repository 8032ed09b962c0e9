"""The members of a tar file, without unpacking it: nothing of it is ever written to disk."""

from __future__ import annotations

import errno
import os
import tarfile
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Member(NamedTuple):
    """A regular file inside a tar file."""

    name: str
    offset: int
    """Where its bytes begin in the tar file."""
    size: int


def members(tar: str | os.PathLike[str]) -> Iterator[Member]:
    """The regular files in an uncompressed tar file, in its order; a damaged one ends early.

    Raises OSError where it cannot be opened.
    """
    end = os.stat(tar).st_size  # noqa: PTH116
    try:
        with tarfile.open(tar, "r:", errors="surrogateescape") as archive:
            for member in archive:
                # A hole in a sparse file, or bytes behind the end, are not an image.
                if member.isreg() and not member.issparse() and member.offset_data + member.size <= end:
                    yield Member(member.name.removeprefix("./"), member.offset_data, member.size)
                # tarfile keeps every header that it has seen.
                archive.members.clear()  # type: ignore[attr-defined]
    except tarfile.TarError:
        return


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
    return {member.name: (member.offset, member.size) for member in members(tar)}
