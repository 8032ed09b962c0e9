"""Tables beside the images: labels.csv or labels.jsonl with path, label and, if wanted, split and group.

Others are taken where they name the images: Hugging Face's metadata.csv, and where no folders are classes any table,
one for each split too.
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from sightline.data.sources import cells, classes, entries, label_sets
from sightline.data.sources.cells import as_text, text
from sightline.data.sources.item import Item, plain, split_of
from sightline.data.sources.label_sets import BY_COLUMNS, SEVERAL
from sightline.data.sources.listed import Finder
from sightline.errors import DataError
from sightline.words import counted, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["NAMES", "Listed", "as_text", "find", "fits", "items", "listed", "rows", "tables"]

NAMES = ("labels.csv", "labels.jsonl")
OTHERS = ("metadata.csv", "metadata.jsonl")
"""Taken for such a table where they name path and label, as those of Hugging Face's image folders do."""
SUFFIXES = (".csv", ".tsv", ".jsonl")
NO_ANSWERS = re.compile(r"sample|submission", re.IGNORECASE)
"""In the name of a table that shows how answers are handed in."""
SURELY = 2
"""So many folders of images are classes, whatever table lies beside them."""


class Listed(NamedTuple):
    """A row of a table, and its file."""

    line: int
    path: str
    """Relative to the folder of the table."""
    label: str | None
    split: str | None
    group: str | None
    reason: str | None
    """Why the file must not be opened, or cannot."""
    several: bool = False
    """The label is the text of a set."""


def fits(folder: Path) -> bool:
    """Whether tables in `folder` say what its images show."""
    return bool(tables(folder))


def find(folder: Path) -> Path | None:
    """The one table that says so for the whole folder; None where there is none, or one for a part of it."""
    found = tables(folder)
    return found[0][0] if [(folder, None)] == [(table.parent, split) for table, split in found] else None


def tables(folder: Path) -> list[tuple[Path, str | None]]:
    """The tables of a folder, or of the one around everything, each with the split that its name or its folder's tells.

    Raises DataError where several may be meant.
    """
    below, place = "", folder
    while True:
        if table := _ours(folder, place):
            return [(table, None)]
        inner = entries.folders(os.fspath(folder), below)
        splits = [(place / name, split) for name in inner if (split := split_of(name))]
        parts = [(_ours(folder, one) or next(iter(_others(folder, one)), None), split) for one, split in splits]
        if found := [(table, split) for table, split in parts if table] or _of_any_name(folder, place):
            return [*found]
        if len(inner) != 1:
            return []
        below, place = f"{below}{inner[0]}/", place / inner[0]


def _ours(folder: Path, place: Path) -> Path | None:
    """The table at `place` that is called as such: labels.csv whatever it holds, others where they name images."""
    listed = [place / name for name in (*NAMES, *OTHERS) if entries.is_open(folder, place / name)]
    # Columns of 0 and 1 alone name no classes beside folders that may: they are facts about the images.
    return next((table for table in listed if table.name in NAMES or names_images(table, by_columns=False)), None)


def _others(folder: Path, place: Path) -> list[Path]:
    """The tables at `place` of any other name that name images, where no folders there are classes."""
    named = [
        table
        for table in sorted(place.iterdir())
        if table.suffix.lower() in SUFFIXES and not table.name.startswith(".") and not NO_ANSWERS.search(table.stem)
    ]
    found = [table for table in named if entries.is_open(folder, table) and names_images(table)]
    return [] if found and _has_classes(place) else found


def _of_any_name(folder: Path, place: Path) -> list[tuple[Path, str | None]]:
    found = _others(folder, place)
    splits = {split: table for table in found if (split := split_of(table.stem))}
    if len(found) <= 1:
        return [(table, None) for table in found]
    if len(splits) == len(found):
        return [(table, split) for split, table in splits.items()]
    raise DataError(
        f"{place}: several tables may say what the images show: {', '.join(table.name for table in found)}; "
        f"name one, as --images {found[0]}"
    )


def _has_classes(folder: Path) -> bool:
    with suppress(DataError):
        return any(len(classes.names(folder, part, SURELY)) >= SURELY for part in classes.divide(folder))
    return False


def names_images(table: Path, *, by_columns: bool = True) -> bool:
    """Whether a table says what images show, perhaps `by_columns` of 0 and 1."""
    with suppress(DataError):
        first = next(rows(table), None)
        return first is not None and (by_columns or not first[1].get(BY_COLUMNS))
    return False


def items(folder: Path) -> Iterator[Item]:
    """The files that the tables list, there or not; paths are relative to each table.

    Raises DataError, with the line, where a table is broken, gives a file two labels, or lists none that is there.
    """
    for table, split in tables(folder):
        below = "" if table.parent == folder else f"{table.parent.relative_to(folder).as_posix()}/"
        for one in listed(table)[0]:
            reason = one.reason or (None if one.label else "no label")
            side, closed = split or one.split, bool(one.reason)
            yield Item(f"{below}{one.path}", one.label, side, one.group, reason, closed=closed, several=one.several)


def listed(table: Path) -> tuple[list[Listed], list[str]]:
    """The rows of a table with their files, each file once, and how the table was read where that is not plain.

    Raises DataError as `items` does.
    """
    sheet = cells.sheet(table, is_file=lambda cell: (table.parent / cell).is_file())
    found = list(sheet.rows)
    finder = Finder(table.parent, table.stem, [row for _, row in found])
    seen: dict[str, Listed] = {}
    again = 0
    for line, row in found:
        path, reason = finder.find(row)
        split, label = split_given(table, line, text(row.get("split"))), plain(text(row.get("label")))
        one = Listed(line, path, label, split, text(row.get("group")) or None, reason, bool(row.get(SEVERAL)))
        before = seen.setdefault(path or f"line {line}", one)
        if before is not one:
            _check_same(table, before, one)
            again += 1
    lost = [one for one in seen.values() if one.reason]
    if seen and len(lost) == len(seen):
        first = f"line {lost[0].line}: {visible(lost[0].path) or 'no path'} ({lost[0].reason})"
        raise DataError(
            f"{table} lists no image that is there; {first}. Put the table beside the images, or above them: paths are "
            "relative to its folder"
        )
    if not seen:
        raise DataError(f"{table} lists no image: it has no line but that of the columns")
    twice = [f"{counted(again, 'row')} that say the same again left out"] if again else []
    read = {name for _, row in found for name in row} if sheet.unread else set()
    without = [cells.without([*sheet.unread], read)] if sheet.unread else []
    how = [", ".join(sheet.how)] if sheet.how else []
    doubt = label_sets.doubt({one.label for one in seen.values() if one.label and not one.several})
    return list(seen.values()), [*how, *([doubt] if doubt else []), *finder.said, *twice, *without]


def rows(table: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Line number and values of each row of a .csv or .jsonl file, by our names for the columns.

    Raises DataError where it cannot be read, or lacks path or label.
    """
    yield from cells.sheet(table, is_file=lambda cell: (table.parent / cell).is_file()).rows


def split_given(table: Path, line: int, given: str) -> str | None:
    """The split that a row names, if it names one. Raises DataError where that is none."""
    split = split_of(given)
    if given and not split:
        raise DataError(f"{table}, line {line}: split {given!r} is none of train, val, test")
    return split


def _check_same(table: Path, before: Listed, one: Listed) -> None:
    if (before.label, before.split, before.group) != (one.label, one.split, one.group):
        raise DataError(
            f"{table}, line {one.line}: {one.path} is listed twice, as {_what(before)} on line {before.line} and as "
            f"{_what(one)} here; keep one line per image (`a;b` in a column labels where it shows both; for boxes name "
            "their edges xmin, ymin, xmax, ymax)"
        )


def _what(one: Listed) -> str:
    return f"{one.label!r}{f' in {one.split}' if one.split else ''}{f' of group {one.group!r}' if one.group else ''}"
