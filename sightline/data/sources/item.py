"""One file of a raw folder, and the walk that finds them."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from sightline.data.sources.entries import LEAVES, of_entry
from sightline.errors import DataError
from sightline.heads.labels import LABELS
from sightline.images.reading import SUFFIXES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

SPLITS = (
    dict.fromkeys(("train", "training"), "train")
    | dict.fromkeys(("val", "valid", "validation", "dev", "eval", "evaluation"), "val")
    | dict.fromkeys(("test", "testing"), "test")
)
"""Spelling of a split → the split."""
PROJECT = ".dvc"
"""What lies in a project, which is passed over: its copies of the images are none of the folder's."""
FOREIGN = frozenset(
    ".ai .avif .cr2 .cr3 .dcm .dng .eps .exr .fit .fits .hdr .heic .heif .ico .j2k .jp2 .jxl .nef .pcx .ps .psd .raw "  # noqa: SIM905
    ".svg .svgz .tga .xcf".split()
)
"""Images of formats that are not read: told of, not passed over."""


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
    several: bool = False
    """The label is the text of a set (`heads.labels`), and not one name that looks like it."""


def checked(items: Iterable[Item], task: str) -> Iterator[Item]:
    """The items as they are; raises DataError at a set of labels that the task cannot learn."""
    labels = LABELS[task]
    for one in items:
        if one.several and (fault := labels.fault(one.label or "")):
            raise DataError(f"{one.path}: {fault}")
        yield one


class Found(NamedTuple):
    """A file that the walk came upon."""

    path: str
    reason: str | None
    """Why it must not be opened."""


def files(folder: Path, below: str = "") -> Iterator[Found]:
    """Every file of `folder` (in its part `below`) that is named like an image or has no extension.

    What must not be opened is told of, links to folders too, and not followed.
    """
    place, inside = os.path.join(folder, below), os.path.realpath(folder)  # noqa: PTH118
    if not (os.path.realpath(place) + os.sep).startswith(inside + os.sep):
        yield _named(below, LEAVES)
        return
    yield from _walk(place, f"{below}/" if below else "", inside)


def _walk(place: str, prefix: str, inside: str) -> Iterator[Found]:
    # scandir and plain text, because os.walk and paths as objects take longer than all else about an unchanged file.
    with os.scandir(place) as listed:
        entries = sorted(listed, key=lambda entry: entry.name)
    if prefix and any(entry.name == PROJECT for entry in entries):
        return
    for entry in entries:
        name = entry.name
        if name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, f"{prefix}{name}/", inside)
            continue
        closed, suffix = of_entry(entry, inside), suffix_of(name)
        if suffix in FOREIGN:
            yield _named(prefix + name, f"{suffix} files are not read: convert it to PNG or JPEG")
        elif not suffix or suffix in SUFFIXES or (closed and os.path.isdir(entry.path)):  # noqa: PTH112
            yield _named(prefix + name, closed)


def _named(path: str, reason: str | None) -> Found:
    try:
        if not path.isascii():
            path.encode()
    except UnicodeEncodeError:
        spelled = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        return Found(spelled, "its name is not valid UTF-8: rename it")
    return Found(path, reason)


def split_of(folder: str) -> str | None:
    """The split that a folder's name tells, as `Training`, `training_set`, `seg_test` or `val2017` do; else None."""
    words = [re.sub(r"(set|data|images)?\d*$", "", word) for word in re.split(r"[-_ .]+", folder.lower())]
    found = {SPLITS[word] for word in words if word in SPLITS}
    return found.pop() if len(found) == 1 else None


@lru_cache(maxsize=4096)
def plain(label: str | None) -> str | None:
    """A class name in one spelling: é typed as one sign or as two is the same class; None where nothing is left."""
    return unicodedata.normalize("NFC", (label or "").strip()) or None


def suffix_of(path: str) -> str:
    """The extension in lower case, with its dot."""
    stem, dot, suffix = path.rpartition("/")[2].rpartition(".")
    return f"{dot}{suffix.lower()}" if stem.strip(".") else ""
