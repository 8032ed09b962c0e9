"""The files of a folder with annotations: which images there are, and which one a name in an annotation means."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from itertools import takewhile
from typing import TYPE_CHECKING, TypeVar

from sightline.data.sources.entries import entries
from sightline.data.sources.item import files, split_of, suffix_of
from sightline.data.sources.listed import loosely
from sightline.data.sources.tables import SUFFIXES as TABLES
from sightline.errors import DataError
from sightline.images.reading import SUFFIXES, UnreadableImage, open_image, upright_size

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")
LOOK = 1 << 16
"""Bytes at the beginning of a file by which its form is seen: much may stand before the first object."""
MISSING = "there is no such image"
ELSEWHERE = f"{MISSING}; one of that name lies in another folder"
ABSOLUTE = re.compile(r"/|\\|[A-Za-z]:|\.\.|file:|https?:")
"""How paths begin that tell of another machine, or lead out of the folder: nobody has their first folders here."""
TEXTS = (".json", ".xml", ".txt", ".yaml", ".yml", ".names", *TABLES)


class Tree:
    """What lies below a folder: images by name, and files that may describe them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.images = {found.path: found.reason for found in files(folder) if suffix_of(found.path)}
        self.texts = [
            one.path
            for one in entries(os.fspath(folder))
            if not one.is_folder and one.reason is None and suffix_of(one.path) in TEXTS
        ]
        self._named: dict[str, list[str]] = defaultdict(list)
        for path in self.images:
            self._named[_name(path)].append(path)

    def texts_named(self, *suffixes: str) -> list[str]:
        """The files with one of these extensions."""
        return [path for path in self.texts if suffix_of(path) in suffixes]

    def head(self, path: str, size: int) -> bytes:
        """The first bytes of a file."""
        with (self.folder / path).open("rb") as handle:
            return handle.read(size)

    def texts_that(self, begin: re.Pattern[bytes], *suffixes: str) -> list[str]:
        """The files with one of these extensions whose beginning is such."""
        return [path for path in self.texts_named(*suffixes) if begin.search(self.head(path, LOOK))]

    def whole(self, path: str, kind: type[T]) -> T:
        """What a JSON file holds. Raises DataError where it is broken, or of another kind."""
        file = self.folder / path
        try:
            told = json.loads(file.read_text(encoding="utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{file} cannot be read as JSON: {error}") from None
        if not isinstance(told, kind):
            raise DataError(f"{file} holds a {type(told).__name__}, where a {kind.__name__} tells of the images")
        return told

    def find(
        self, name: str, near: str = "", split: str | None = None, *, guessed: bool = False
    ) -> tuple[str, str | None]:
        """The image that an annotation in the folder `near` calls `name`, with or without extension; or why it is none.

        It lies where the name says, seen from `near` or from the folder, else where the end of its path says most:
        annotations carry the paths of the machine that they were made on. A name that tells folders of the set itself
        means no image in others, but where it is only `guessed`. Of equals the one in a folder of `split`.
        """
        wanted = [part for part in name.replace("\\", "/").split("/") if part not in {"", ".", ".."}]
        told = "/".join(wanted) or name
        if not wanted:
            return told, MISSING
        candidates = self._named.get(_name(wanted[-1]), [])
        if suffix_of(wanted[-1]) in SUFFIXES:
            exact = [path for path in candidates if path.rpartition("/")[2] == wanted[-1]]
            candidates = exact or [path for path in candidates if path.lower().endswith(wanted[-1].lower())]
        for place in (f"{near}/{told}", told):
            if place in candidates:
                return place, self.images[place]
        meant = split_in(told) or split
        candidates = [path for path in candidates if meant is None or split_in(path) in {None, meant}]
        if not (guessed or ABSOLUTE.match(name)):
            named, candidates = candidates, [path for path in candidates if _may_be(path, wanted, near)]
            if named and not candidates:
                return told, ELSEWHERE
        tails = {path: _tail(path, wanted) for path in candidates}
        best = [path for path in candidates if tails[path] == max(tails.values())]
        best = [path for path in best if split_in(path) == meant] or best
        if len(best) == 1:
            return best[0], self.images[best[0]]
        return told, f"{len(best)} images have that name: {', '.join(best[:3])}" if best else MISSING

    def size(self, path: str) -> tuple[int, int]:
        """Width and height of an image that stands upright. Raises UnreadableImage."""
        try:
            data = (self.folder / path).read_bytes()
        except OSError as error:
            raise UnreadableImage(f"it cannot be read: {error.strerror}") from None
        return upright_size(open_image(data))


def split_in(path: str) -> str | None:
    """The split that the folders of a path tell, the innermost first."""
    found = (split_of(part) for part in reversed(path.split("/")[:-1]))
    return next((split for split in found if split), None)


def _name(path: str) -> str:
    """Name of a file without folders and extension of an image, in one letter case."""
    name = path.rpartition("/")[2]
    suffix = suffix_of(name)
    return (name[: -len(suffix)] if suffix in SUFFIXES else name).lower()


def _may_be(path: str, wanted: list[str], near: str) -> bool:
    """Whether one path ends with the other, seen from the folder `near` or from the folder of all."""
    folders = path.removeprefix(f"{near}/" if near else "").count("/")
    return _tail(path, wanted) >= min(folders, len(wanted) - 1)


def _tail(path: str, wanted: list[str]) -> int:
    """How many folders, from the file upwards, both paths have in common; a split has many spellings."""
    pairs = zip(reversed(path.split("/")[:-1]), reversed(wanted[:-1]), strict=False)
    return len(list(takewhile(lambda pair: _is_same(*pair), pairs)))


def _is_same(folder: str, other: str) -> bool:
    return loosely(folder) == loosely(other) or split_of(folder) == split_of(other) is not None
