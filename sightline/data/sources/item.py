"""One file of a raw folder, and the walk that finds them."""

from __future__ import annotations

import os
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from sightline.data.reading import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SPLITS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
FOREIGN = frozenset(
    ".ai .avif .cr2 .cr3 .dcm .dng .eps .exr .fit .fits .hdr .heic .heif .ico .j2k .jp2 .jxl .nef .pcx .ps .psd .raw "  # noqa: SIM905
    ".svg .svgz .tga .xcf".split()
)
"""Images of formats that are not read: told of, not passed over."""
LEAVES = "link that leaves the folder"


@dataclass(frozen=True, slots=True)
class Item:
    """One file of the raw folder, as the layout describes it."""

    path: str
    """Relative to the folder, with forward slashes; inside a tar file: shard-000.tar/0001.jpg."""
    label: str | None
    split: str | None = None
    group: str | None = None
    reason: str | None = None
    """Why the file cannot be used, where the layout already shows it."""
    closed: bool = False
    """The file is not to be opened at all."""


class Found(NamedTuple):
    """A file that the walk came upon."""

    path: str
    reason: str | None
    """Why it must not be opened."""


def files(folder: Path, below: str = "") -> Iterator[Found]:
    """Every file of `folder` (in its part `below`) that is named like an image or has no extension.

    Links to folders are told of, and not followed.
    """
    inside = os.path.realpath(folder)
    for where, folders, names in os.walk(folder / below, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links = [name for name in folders if os.path.islink(os.path.join(where, name))]  # noqa: PTH114, PTH118
        for name in [*links, *names]:
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122
            if name.startswith(".") or (suffix and suffix not in SUFFIXES | FOREIGN and name not in links):
                continue
            path = os.path.join(where, name)  # noqa: PTH118
            reason = "link to a folder: not followed" if name in links else _why_closed(path, inside, suffix)
            yield _named(os.path.relpath(path, folder), reason)


def _why_closed(path: str, inside: str, suffix: str) -> str | None:
    if suffix in FOREIGN:
        return f"{suffix} files are not read: convert it to PNG or JPEG"
    # realpath, unlike Path.resolve, bears links that lead in a circle.
    if os.path.islink(path) and not os.path.realpath(path).startswith(inside + os.sep):  # noqa: PTH114
        return LEAVES
    return None


def _named(path: str, reason: str | None) -> Found:
    path = path.replace(os.sep, "/")
    try:
        path.encode()
    except UnicodeEncodeError:
        spelled = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return Found(spelled, "its name is not valid UTF-8: rename it")
    return Found(path, reason)


def plain(label: str | None) -> str | None:
    """A class name in one spelling: é typed as one sign or as two is the same class; None where nothing is left."""
    return unicodedata.normalize("NFC", (label or "").strip()) or None


def suffix_of(path: str) -> str:
    """The extension in lower case, with its dot."""
    return PurePosixPath(path).suffix.lower()
