"""One file of a raw folder, and the walk that finds them."""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from sightline.data.sources.entries import entries
from sightline.errors import DataError
from sightline.heads.labels import LABELS
from sightline.images import kinds
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
FOREIGN = frozenset(
    ".ai .arw .cr2 .cr3 .dng .eps .exr .fit .fits .hdr .ico .j2k .jp2 .jxl .nef .orf .pcx .pef .ps "  # noqa: SIM905
    ".psd .raf .raw .rw2 .srw .svg .svgz .tga .xcf".split()
)
"""Images of formats that are not read: told of, not passed over."""
BESIDE = frozenset(".csv .html .json .jsonl .md .mat .npy .tsv .txt .xml .yaml .yml".split())  # noqa: SIM905
"""What often lies beside each image, and is none: not looked into."""
MASKED = re.compile("mask|seg|gt|ground|annotation|label", re.IGNORECASE)
"""In the path of every mask: a short look, of which there are many."""
MASK = re.compile(r"(.+?)[-_. ](mask|segmentation|seg|gt|annotation|label)s?([-_. ]?\d+)?", re.IGNORECASE)
"""How the mask of an image is named beside it."""
MASKS = re.compile(
    r"(.*/)?((?:[^/]*[-_ ])?)(masks?|segmentations?|annotations?|ground[-_ ]?truth|gt|labels?)/.*", re.IGNORECASE
)
IMAGES = ("images", "image", "imgs", "img", "Images", "Image", "IMAGES", "train", "test", "Train", "Test")
"""Folders of masks, and of the images that they belong to, beside one another."""


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
    """Every file of `folder` (in its part `below`) that is named like an image, or begins like one.

    What must not be opened is told of, links to folders too, and not followed.
    """
    place = os.fspath(folder)
    for entry in entries(place, below):
        if entry.hidden or (entry.is_folder and not entry.reason) or is_mask(place, entry.path):
            continue
        suffix = suffix_of(entry.path)
        if suffix in FOREIGN:
            yield _named(entry.path, f"{suffix} files are not read: convert it to PNG or JPEG")
        elif (
            suffix in SUFFIXES
            or (not suffix and entry.reason)
            or (entry.reason and os.path.isdir(f"{place}/{entry.path}"))  # noqa: PTH112
            or (not entry.reason and suffix not in BESIDE and begins_like_an_image(f"{place}/{entry.path}"))
        ):
            yield _named(entry.path, entry.reason)


def is_mask(folder: str, path: str) -> bool:
    """Whether it is the mask of an image: named like one beside it, or in a folder `masks` beside `images`."""
    if not MASKED.search(path) or (suffix := suffix_of(path)) not in SUFFIXES:
        return False
    stem, suffix = path[: -len(suffix)], path[-len(suffix) :]
    if (named := MASK.fullmatch(stem)) and "/" not in stem[named.end(1) :]:
        image = named.group(1)
        return any(os.path.isfile(f"{folder}/{image}{one}") for one in (suffix, *sorted(SUFFIXES)))  # noqa: PTH113
    beside = MASKS.fullmatch(path)
    if beside is None:
        return False
    # `masks` beside `images`, or `train_masks` beside `train`.
    of = beside.group(2)
    places = (of.rstrip("-_ "), *(f"{of}{one}" for one in IMAGES)) if of else IMAGES
    return any(os.path.isdir(f"{folder}/{beside.group(1) or ''}{one}") for one in places)  # noqa: PTH112


def looks_like_an_image(path: str) -> bool:
    """Whether a file is called like an image, or begins like one though it is not called like what lies beside them."""
    suffix = suffix_of(path)
    return suffix in SUFFIXES or (suffix not in BESIDE and begins_like_an_image(path))


def begins_like_an_image(path: str) -> bool:
    """Whether the first bytes of a file are those of an image, as of `1.jpg?w=200`, `1.jpg_large` or `1.jpg.2`."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return kinds.is_image(file.read(kinds.LOOKED_AT))
    except OSError:
        return False


def _named(path: str, reason: str | None) -> Found:
    shown = path if path.isascii() else spelled(path)
    return Found(shown, reason if shown is path else "its name is not valid UTF-8: rename it")


def spelled(path: str) -> str:
    """The path itself, or where it is no text, its bytes written out."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return path


def split_of(folder: str) -> str | None:
    """The split that a folder's name tells, as `Training`, `training_set`, `seg_test` or `val2017` do; else None."""
    found = {SPLITS[word] for word in _words(folder) if word in SPLITS}
    return found.pop() if len(found) == 1 else None


def beside_split(folder: str) -> tuple[str, ...]:
    """The words of a folder's name besides those that tell a split."""
    return tuple(word for word in _words(folder) if word and word not in SPLITS)


def _words(folder: str) -> list[str]:
    return [re.sub(r"(set|data|images)?\d*$", "", word) for word in re.split(r"[-_ .]+", folder.lower())]


@lru_cache(maxsize=4096)
def plain(label: str | None) -> str | None:
    """A class name in one spelling: é typed as one sign or as two is the same class; None where nothing is left."""
    return unicodedata.normalize("NFC", (label or "").strip()) or None


def suffix_of(path: str) -> str:
    """The extension in lower case, with its dot."""
    stem, dot, suffix = path.rpartition("/")[2].rpartition(".")
    return f"{dot}{suffix.lower()}" if stem.strip(".") else ""
