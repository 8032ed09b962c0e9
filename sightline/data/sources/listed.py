"""Where the files lie that a table names: paths as they were on another machine, without their folder or extension.

Each is read where one file alone can be meant; what was done is said.
"""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections import Counter
from functools import cached_property, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from sightline.data.sources import entries, studio
from sightline.data.sources.item import is_mask, suffix_of
from sightline.images.reading import SUFFIXES
from sightline.words import counted, visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MISSING = "there is no such file"
TRIED = 100
"""Missing files by which it is told what others wrote before their paths."""


class Finder:
    """Finds the files of one table below a folder."""

    def __init__(self, folder: Path, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self._folder, self._inside, self._rows = folder, os.path.realpath(folder), rows
        self._words = re.split(r"[-_ .]+", table.lower())
        self._told: Counter[str] = Counter()

    @property
    def said(self) -> list[str]:
        """What was done to find files that do not lie where the table says."""
        return [f"{how} ({counted(number, 'row')})" for how, number in self._told.items()]

    def find(self, row: Mapping[str, Any]) -> tuple[str, str | None]:
        """The path of a row's file below the folder, and why it must not be opened, or cannot."""
        path = plain_path(row, self._inside)
        there = self._is_there(path)
        if path and not there:
            path = self._elsewhere(path)
            there = self._is_there(path)
        reason = why_closed(self._inside, path)
        return path, self._why_missing(path) if reason is None and not there else reason

    def _is_there(self, path: str) -> bool:
        return bool(path) and not path.startswith("/") and os.path.lexists(f"{self._inside}/{path}")

    def _elsewhere(self, path: str) -> str:
        for name in studio.names(path):
            if found := self._best(self._ending(name), name):
                self._told["by the names that files had before Label Studio took them"] += 1
                return found[0]
        if self._prefix and path.startswith(self._prefix):
            rest = path.removeprefix(self._prefix)
            if self._is_there(rest) or self._ending(rest):
                self._told[f"{visible(self._prefix)} dropped from the paths"] += 1
                path = rest
        found = [path] if self._is_there(path) else self._best(self._ending(path), path)
        if len(found) != 1 or found == [path]:
            return path
        if loosely(found[0]) == loosely(path):
            self._told["letter case and accents as in the folder"] += 1
        else:
            self._told["files found in the folders below, by name"] += 1
        return found[0]

    def _ending(self, path: str) -> list[str]:
        """The files whose path ends as `path`, with an extension or, where that has none, without.

        The mask of an image is called as the image is: it is meant where nothing else can be.
        """
        wanted, key = loosely(path), loosely(posixpath.basename(path))
        held = self._names.get(key) or ([] if suffix_of(path) in SUFFIXES else self._stems.get(key, []))
        fitting = [one for one in held if _ends_with(loosely(one), wanted)]
        return [one for one in fitting if not is_mask(self._inside, one)] or fitting

    def _best(self, fitting: list[str], path: str) -> list[str]:
        """Of several files the one that is called so, or that lies in `train` or `train_images` for a `train.csv`."""
        same = [one for one in fitting if loosely(one) == loosely(path)]
        exact = [one for one in fitting if f"/{one}".endswith(f"/{path}")]
        named = [one for one in fitting if self._words[0] in re.split(r"[-_ ./]+", one.lower().rpartition("/")[0])]
        if len(exact) == 1:
            return exact
        return same or (fitting if len(fitting) == 1 else named)

    def _why_missing(self, path: str) -> str:
        if re.match(r"(https?|ftp|s3|gs):/", path):
            return "an address, not a file: download the images first"
        fitting = self._ending(path)
        return f"{len(fitting)} files may be meant, {fitting[0]} and {fitting[1]}" if fitting[1:] else MISSING

    @cached_property
    def _prefix(self) -> str:
        """What stands before most paths whose file is missing, and behind which there are files; empty if nothing."""
        paths = (plain_path(row, self._inside) for row in self._rows)
        missing = list(islice((path for path in paths if path and not self._is_there(path)), TRIED))
        parts = missing[0].split("/") if missing else []
        for dropped in range(1, len(parts)):
            prefix = "/".join(parts[:dropped]) + "/"
            held = [path.removeprefix(prefix) for path in missing if path.startswith(prefix)]
            if 2 * sum(map(self._is_there, held)) > len(missing):
                return prefix
        return ""

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        """The image files by name, without the case of letters and the form of accents."""
        found: dict[str, list[str]] = {}
        for entry in entries.entries(os.fspath(self._folder)):
            if not (entry.is_folder or entry.reason or entry.hidden):
                found.setdefault(loosely(posixpath.basename(entry.path)), []).append(entry.path)
        return found

    @cached_property
    def _stems(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for name, paths in self._names.items():
            if suffix_of(name) in SUFFIXES:
                found.setdefault(name.rpartition(".")[0], []).extend(paths)
        return found


def loosely(path: str) -> str:
    """What is left of a path without the case of letters and the form of accents."""
    return unicodedata.normalize("NFC", path).casefold()


def _ends_with(path: str, wanted: str) -> bool:
    return f"/{path}".endswith(f"/{wanted}") or f"/{path.rpartition('.')[0]}".endswith(f"/{wanted}")


def plain_path(row: Mapping[str, Any], inside: str) -> str:
    """The path that a row names, in its shortest form with forward slashes; empty where it names none.

    It is relative to the real path `inside` of the table's folder, also where it is written from the root, or upwards
    and down again.
    """
    value = str(row.get("path") or "").strip().replace("\\", "/").removeprefix("file://")
    path = posixpath.normpath(value) if value else ""
    if path.startswith(("/", "../")):
        whole = posixpath.normpath(posixpath.join(inside, path))
        return whole.removeprefix(f"{inside}/") if whole.startswith(f"{inside}/") else path
    return path


def why_closed(inside: str, path: str) -> str | None:
    """Why the file that a table in the real path `inside` names must not be opened; None where it may."""
    if not path:
        return "no path"
    if path.startswith(("/", "../")) or path == "..":
        return "path that leaves the folder"
    where, name = os.path.split(path)
    # A folder on the way may be a link that leaves, too.
    place = _real(inside, where)
    if not entries.lies_in(place, inside):
        return entries.LEAVES
    return entries.why_closed(os.path.join(place, name), inside)  # noqa: PTH118 — a million rows


@lru_cache(maxsize=4096)
def _real(inside: str, where: str) -> str:
    return os.path.realpath(os.path.join(inside, where))  # noqa: PTH118
