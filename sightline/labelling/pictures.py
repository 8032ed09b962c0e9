"""The pictures of captured answers: what was kept of each, and the names by which files lead back to them."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import Damaged
from sightline.images.reading import EXTENSIONS, SIXTEEN_BIT, open_image, png, to_rgb
from sightline.serve.history import AT, look, read
from sightline.serve.store import Store
from sightline.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.project import Paths

FOLDER = "images"
COLUMNS = ("at", "request", "place", "sha256", "picture")
MOMENT = timedelta(microseconds=1)
"""The finest that captured times tell apart."""
BROWSERS = frozenset(("JPEG", "PNG", "GIF", "WEBP", "BMP", "AVIF"))
"""Formats that are shown wherever people label."""
STAMP = "%Y%m%dT%H%M%S%f"
DIGITS = 16
"""Of the digest, in a name."""
NAMED = re.compile(rf"(?<![0-9a-f])(?:(\d{{8}}T\d{{12}})-)?([0-9a-f]{{{DIGITS}}})(?![0-9a-f])")


def kind(picture: bytes) -> str:
    """Of the file, as Pillow names it."""
    return str(open_image(picture).format)


def shown(picture: bytes) -> bytes:
    """The file as browsers show it: what they do not (TIFF, HEIC, DICOM, 16 bits of grey) as a PNG that stands upright.

    Nothing is read from it again: answers lead back to the picture that was kept, by its digest.
    """
    image = open_image(picture)
    if image.format in BROWSERS and image.mode not in SIXTEEN_BIT:
        return picture
    return png(np.asarray(to_rgb(image)))


def is_whole(sha256: str, picture: bytes | None) -> bool:
    """Whether the picture is the very file that was answered, not a small one."""
    return picture is not None and hashlib.sha256(picture).hexdigest() == sha256


def name_of(sha256: str, picture: bytes, at: str = "") -> str:
    """Of its file below the folder; with `at`, when it was answered, the name tells that answer from all others."""
    stamp = f"{datetime.fromisoformat(at).astimezone(UTC):{STAMP}}-" if at else ""
    return f"{FOLDER}/{stamp}{sha256[:DIGITS]}{EXTENSIONS[kind(picture)][0]}"


def meant(name: str) -> tuple[datetime | None, str]:
    """When the image was answered that a file of that name shows, where it was, and how its digest begins.

    Other tools put names of their own before and behind ours. Empty where it is no name of ours.
    """
    stamp, digest = found.groups() if (found := NAMED.search(name)) else (None, "")
    try:
        return datetime.strptime(stamp, STAMP).replace(tzinfo=UTC) if stamp else None, digest
    except ValueError:
        return None, ""


def captured(
    paths: Paths, times: Sequence[datetime], column: str, wanted: pa.Array
) -> tuple[list[dict[str, Any]], str]:
    """The rows from the first to the last of these times whose `column` is among those `wanted`: COLUMNS of each.

    Beside them a word about captured files that cannot be read; empty where all can.
    """
    if not times:
        return [], ""
    found = look(Store(paths.root, paths.params.capture.folder), min(times), max(times) + MOMENT)
    first, last = (pa.scalar(at, AT) for at in (min(times), max(times)))
    rows: list[dict[str, Any]] = []
    damaged = len(found.damaged)
    for file in found.files:
        try:
            part = read(found.store, file.place.name, COLUMNS)
        except Damaged:
            damaged += 1
            continue
        inside = pc.and_(pc.greater_equal(part["at"], first), pc.less_equal(part["at"], last))
        rows += part.filter(pc.and_(inside, pc.is_in(part[column], wanted))).to_pylist()
    return rows, f" ({counted(damaged, 'file')} cannot be read)" if damaged else ""
