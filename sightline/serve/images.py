"""Where images to answer come from: files, folders, tables of paths, tar files."""

from __future__ import annotations

import glob
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sightline.data.sources import cells
from sightline.data.sources.entries import JUNK
from sightline.data.sources.item import is_mask, looks_like_an_image
from sightline.data.tars import EndsEarly, find, members
from sightline.errors import DataError
from sightline.images.reading import SUFFIXES, UnreadableImage
from sightline.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLES = (".csv", ".jsonl")
COLUMN = "path"


@dataclass(frozen=True)
class Source:
    """An image file, or one inside a tar file."""

    name: str
    """As the caller named it: a path, or TAR/MEMBER."""
    file: Path
    offset: int = 0
    size: int | None = None
    """Bytes from `offset` on; None: all."""
    fault: str = ""
    """Why there is nothing to read: it stands for images that a cut tar file lacks."""

    def read(self) -> bytes:
        """Its bytes.

        Raises OSError where it cannot be read, UnreadableImage where it has a `fault`.
        """
        if self.fault:
            raise UnreadableImage(self.fault)
        if self.size is None:
            return self.file.read_bytes()
        with self.file.open("rb") as handle:
            handle.seek(self.offset)
            return handle.read(self.size)


def asked(given: str) -> list[Source]:
    """The images that a person names, wherever the program works later: as `sources`, or a pattern such as `*.jpg`.

    Raises DataError where there is none.
    """
    if re.match(r"[a-z][a-z0-9+]*://", given):
        raise DataError(f"{given}: an address is not fetched; download it first, and name the file")
    place = Path(given)
    if not place.exists() and "\\" in given:
        # As on Windows, in a table or a script that came from there.
        place = Path(given.replace("\\", "/"))
    if place.exists() or not glob.has_magic(str(place)):
        return [replace(one, file=one.file.absolute()) for one in sources(place)]
    fitting = sorted(Path(name) for name in glob.glob(str(place), recursive=True))  # noqa: PTH207 — a pattern may begin anywhere
    images = [path for path in fitting if path.is_file() and looks_like_an_image(str(path))]
    if not images:
        raise DataError(f"{given}: no image file fits this pattern; there are {counted(len(fitting), 'file')} that fit")
    return [Source(str(path), path.absolute()) for path in images]


def source(name: str, file: Path) -> Source:
    """The image at a path, which may lead into a tar file as paths in a manifest do (`shard-000.tar/0001.jpg`)."""
    place = str(file)
    if ".tar/" in place and not file.exists():
        with suppress(OSError):
            tar, offset, size = find(place)
            return Source(name, Path(tar), offset, size)
    return Source(name, file)


def sources(given: Path) -> list[Source]:
    """The images that `given` stands for, by name: a file, a folder's image files, a table's column `path`, a tar's.

    The last one of a tar file that is cut has that for its fault. Raises DataError where there is none.
    """
    if given.is_dir():
        found = [Source(str(path), path) for path in sorted(given.rglob("*")) if _is_image(path, given)]
    elif given.suffix.lower() in TABLES:
        found = [source(name, given.parent / name) for name in _listed(given)]
    elif given.suffix.lower() == ".tar":
        found = list(_of_tar(given))
    else:
        one = source(str(given), given)
        if not one.file.exists():
            raise DataError(f"{given}: there is no such file or folder")
        return [one]
    if not found:
        raise DataError(f"{given}: there is no image in it; known are {', '.join(sorted(SUFFIXES))}")
    return found


def _of_tar(tar: Path) -> Iterator[Source]:
    try:
        inside = (one for one in members(tar) if Path(one.name).suffix.lower() in SUFFIXES)
        yield from (Source(f"{tar}/{one.name}", tar, one.offset, one.size) for one in inside)
    except EndsEarly as error:
        yield Source(str(tar), tar, fault=str(error))


def _is_image(path: Path, folder: Path) -> bool:
    """Whether it counts as an image of the folder, as it would among those to learn from."""
    inside = path.relative_to(folder)
    passed_over = any(part.startswith(".") or part.lower() in JUNK for part in inside.parts)
    if passed_over or not path.is_file():
        return False
    return looks_like_an_image(str(path)) and not is_mask(str(folder), inside.as_posix())


def _listed(table: Path) -> Iterator[str]:
    """The paths in a table, however spreadsheets saved it, and in a column of any name that labels.csv may have."""
    try:
        for line, row in cells.sheet(table, {COLUMN: cells.COLUMNS[COLUMN]}, (COLUMN,)).rows:
            path = cells.text(row.get(COLUMN))
            if not path:
                raise DataError(f"{table}, line {line}: there is no path; name the column of the image files path")
            yield path
    except OSError as error:
        raise DataError(f"{table} cannot be read: {error.strerror}") from None
