"""What one file tells of itself: digest, header, pixels. Runs in a worker process and imports little."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import Any

from sightline.data.files.statistics import COLUMNS as STATISTICS
from sightline.data.files.statistics import THUMBNAIL, statistics
from sightline.images.reading import MAX_PIXELS, TOO_HUNGRY, UnreadableImage, inspect

SIDE = 128
"""JPEGs are decoded at the smallest scale that leaves both sides at least this, pixels."""
AGAIN = "again"
"""Key of facts that the moment decided, not the bytes: the next run reads the file again."""

Facts = dict[str, Any]
"""The manifest's columns that the bytes of a file decide, `reason` among them, the THUMBNAIL, and perhaps AGAIN."""
BESIDE = {"top": "Int64", "several": "Int64", "grey": "string"}
"""Pandas types of facts for which the manifest has no column: two of the `Header`, and a digest of the grey pixels."""
EMPTY: Facts = dict.fromkeys(
    ("sha256", "format", "mode", "width", "height", "bytes", "reason", *STATISTICS, THUMBNAIL, *BESIDE)
)


@dataclass(frozen=True)
class Limits:
    """What reading one file may cost."""

    pixels: float = MAX_PIXELS
    bytes: float = 64e6
    seconds: float = 20.0
    """Computing time; by the wall clock ten times as much."""
    memory: float = 320e6
    """Address space above that of an idle worker."""


def read_facts(folder: str, path: str, limits: Limits) -> Facts:
    """Facts of the file at `path` below `folder`, with the reason where it cannot be used."""
    facts = {**EMPTY}
    try:
        data = read_bytes(folder, path, limits.bytes)
        facts |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        header, image = inspect(data, SIDE, limits.pixels, grey=True)
        seen = statistics(image)
    except UnreadableImage as error:
        return {**unread(path, str(error)), **_known(facts)}
    except MemoryError:
        return {**unread(path, TOO_HUNGRY), **_known(facts)}
    except (OSError, ValueError) as error:
        return {**unread(path, f"cannot be read: {getattr(error, 'strerror', None) or error}"), AGAIN: True}
    facts |= {"format": header.format, "mode": header.mode, "width": header.width, "height": header.height}
    facts |= seen | {"top": header.top, "several": int(header.several)}
    # The grey of 16 bits is coarser than the picture: dark ones would all be one.
    if header.top is None:
        facts["grey"] = hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()
    return facts


def _known(facts: Facts) -> Facts:
    return {name: value for name, value in facts.items() if value is not None}


def unread(path: str, reason: str) -> Facts:
    """Facts of a file that was not read; its path stands in for its bytes."""
    return {**EMPTY, "sha256": hashlib.sha256(path.encode()).hexdigest(), "reason": reason}


def read_bytes(folder: str | os.PathLike[str], path: str, max_bytes: float = float("inf")) -> bytes:
    """The bytes of the image at `path` below `folder`; a path may lead into a tar file (`shard-000.tar/0001.jpg`).

    Raises UnreadableImage where it is no regular file or too large, OSError where it cannot be opened.
    """
    place = os.path.join(folder, path)  # noqa: PTH118 — a million files
    try:
        known = os.stat(place)  # noqa: PTH116
    except NotADirectoryError:
        return _read_member(place, max_bytes)
    if not stat.S_ISREG(known.st_mode):
        raise UnreadableImage("not a regular file")
    _check_size(known.st_size, max_bytes)
    with open(place, "rb") as handle:  # noqa: PTH123
        return handle.read()


def _read_member(place: str, max_bytes: float) -> bytes:
    from sightline.data.tars import find

    tar, offset, size = find(place)
    _check_size(size, max_bytes)
    with open(tar, "rb") as handle:  # noqa: PTH123
        handle.seek(offset)
        return handle.read(size)


def _check_size(size: int, max_bytes: float) -> None:
    if size > max_bytes:
        raise UnreadableImage(f"{size / 1e6:.0f} MB are above the limit of {max_bytes / 1e6:g} MB")
