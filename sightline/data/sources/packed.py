"""Sets whose images lie inside of files: Parquet and Arrow as Hugging Face writes them, NumPy's archives as MedMNIST's.

They become files of images beside one labels.csv, or metadata.jsonl of boxes, once. Nothing of them is executed: an
object that Python has pickled is refused.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.data.sources import arrays, columns, tables
from sightline.data.sources.entries import entries, why_closed
from sightline.data.sources.item import beside_split, looks_like_an_image, split_of, suffix_of
from sightline.data.sources.unpacking import RATIO, room
from sightline.errors import DataError
from sightline.files import write_atomically
from sightline.words import counted, visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sightline.data.sources.opened import Opened, Picture

READERS = {".parquet": columns.opened, ".arrow": columns.opened, ".npz": arrays.opened}
"""Ending of a file → what reads it."""
ENDINGS = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG\r\n": ".png",
    b"GIF8": ".gif",
    b"RIFF": ".webp",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
}
"""How an image begins → how its file is called, for whoever looks at it: what it is its content says."""
CACHED = "cache-"
"""Files that Hugging Face's library keeps beside a set: parts of it once more."""
BOXES = "metadata.jsonl"
"""The table of boxes."""
NO_SPLIT = "images"
"""Folder of the images that are in no split."""


def is_packed(given: Path) -> bool:
    """Whether it is such a file, or a folder of such files and no image."""
    if given.is_file():
        return given.suffix.lower() in READERS
    return given.is_dir() and bool(_pieces(given))


def write(given: Path, target: Path) -> list[str]:
    """Write the images into the new folder `target`, with their table; how they were read, and what was left out.

    An image is called by its split and its place in that. Raises DataError where a file is damaged, tells no label,
    holds anything but images, or swells to more than the disk holds.
    """
    pieces = [given] if given.is_file() else _pieces(given)
    if given.is_dir():
        _check_open(given, pieces)
        _check_one_set(given, pieces)
    target.mkdir(parents=True)
    numbers: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    told: dict[str, None] = {}
    kinds = set()
    for piece in pieces:
        found = READERS[piece.suffix.lower()](piece)
        told.setdefault(found.how)
        kinds.add(found.are_boxes)
        if len(kinds) > 1:
            raise DataError(f"{given}: some of its files tell boxes and others do not; name one of them as --images")
        rows += _written(found, piece, _split(given, piece), target, numbers)
    missing = sum(1 for row in rows if row["path"] is None)
    rows = [row for row in rows if row["path"] is not None]
    if not rows:
        raise DataError(f"{given} holds no image, but {counted(missing, 'row')} without one")
    if kinds == {True}:
        write_atomically(target / BOXES, "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows))
    else:
        write_atomically(target / tables.NAMES[0], tables.as_text(rows))
    read = f"{counted(len(rows), 'image')} of {counted(len(pieces), 'file')} read {visible('; '.join(told))}"
    return [read, *([f"{counted(missing, 'row')} without an image left out"] if missing else [])]


def _written(
    found: Opened, piece: Path, split: str | None, target: Path, numbers: Counter[str]
) -> Iterable[dict[str, Any]]:
    """Write the images of one file, and give the rows of the table."""
    most = room(piece, target)
    for one in found.pictures:
        if one.data is None:
            yield {"path": None}
            continue
        side = one.split or split
        folder = side or NO_SPLIT
        place = target / folder / f"{numbers[folder]:06d}{_ending(one.data)}"
        numbers[folder] += 1
        most -= len(one.data)
        if most < 0:
            raise DataError(
                f"{piece} swells to more than {RATIO} times its size, or than the disk holds: write its images as "
                "files, and name their folder"
            )
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(one.data)
        yield _row(one, place.relative_to(target).as_posix(), side)


def _ending(data: bytes) -> str:
    """How a file of such an image is called behind its name; not at all where it begins like none."""
    return next((name for start, name in ENDINGS.items() if data.startswith(start)), "")


def _row(one: Picture, path: str, split: str | None) -> dict[str, Any]:
    if one.objects is not None:
        return {"path": path, "objects": one.objects, "split": split, "group": one.group}
    return {"path": path, "label": one.label, "split": split, "group": one.group, "several": one.several}


def _pieces(folder: Path) -> list[Path]:
    """The files of a folder that hold images inside, in order; none where it holds images as well."""
    found = []
    for entry in entries(os.fspath(folder)):
        suffix = suffix_of(entry.path)
        if entry.is_folder or entry.hidden or (entry.reason and suffix not in READERS):
            continue
        if suffix not in READERS:
            if looks_like_an_image(f"{folder}/{entry.path}"):
                return []
        elif not Path(entry.path).name.startswith(CACHED):
            found.append(folder / entry.path)
    return sorted(found)


def _check_open(folder: Path, pieces: list[Path]) -> None:
    """Raise DataError where one must not be opened, as the links of Hugging Face's cache: a part of a set is no set."""
    inside = os.path.realpath(folder)
    for piece in pieces:
        if reason := why_closed(os.fspath(piece), inside):
            raise DataError(f"{piece}: {reason}; name the file itself, or copy the folder with `cp -RL` first")


def _split(given: Path, piece: Path) -> str | None:
    """The split that the file's name tells, or else the innermost folder that tells one."""
    above = piece.relative_to(given).parts[:-1]
    return next(filter(None, map(split_of, (piece.stem, *reversed(above)))), None)


def _check_one_set(given: Path, pieces: list[Path]) -> None:
    """Raise DataError where the files lie in several folders that are no splits: sets beside one another."""
    places: dict[tuple[str, ...], Path] = {}
    for piece in pieces:
        parts = piece.relative_to(given).parts[:-1]
        kept = tuple(part for part in parts if not (split_of(part) and not beside_split(part)))
        places.setdefault(kept, piece.parent)
    if len(places) > 1:
        named = ", ".join(visible(place.relative_to(given).as_posix()) for place in places.values())
        raise DataError(f"{given} holds several sets beside one another: {named}; name one of them as --images")
