"""A table as it was saved: its rows, by our names of the columns."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sightline.data.sources import label_sets, studio
from sightline.data.sources.decoding import decoded, unreadable
from sightline.data.sources.header import (
    BLANK,
    COLUMNS,
    LABEL,
    SEPARATORS,
    WANTED,
    Columns,
    cells_of,
    columns_of,
    first,
    known,
    unread,
    without,
)
from sightline.data.sources.label_sets import PLURAL, SEVERAL
from sightline.errors import DataError
from sightline.words import to_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    Row = tuple[int, dict[str, Any]]

__all__ = ["COLUMNS", "LABEL", "Sheet", "as_text", "known", "sheet", "text", "unread", "without"]

EXCEL = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
"""First line by which Excel is told what parts the cells."""


@dataclass(frozen=True)
class Sheet:
    """The rows of a table, by our names of the columns."""

    how: dict[str, None]
    """How it was read, where it is not UTF-8 with commas and our names."""
    rows: Iterator[Row]
    """Line number and values of each."""
    unread: dict[str, None]
    """The columns that were not read. Of JSON both are whole once the rows are read."""


def sheet(
    table: Path,
    columns: Mapping[str, tuple[tuple[str, ...], ...]] = COLUMNS,
    wanted: Sequence[str] = WANTED,
    is_file: Callable[[str], bool] = lambda _: False,
) -> Sheet:
    """Read a .csv or .jsonl file that has the columns `wanted`, and perhaps others of `columns`.

    Where no column is the label and all further ones may be 0 or 1, each of those is a class. Where no line names the
    columns and `is_file` says that the first cell is one, they are path and label. Raises DataError where it cannot be
    read, or lacks a column; the rows do so where one is broken, with its line.
    """
    text, alphabet = decoded(table)
    if table.suffix.lower() in {".jsonl", ".json"}:
        objects = _lines(text) if table.suffix.lower() == ".jsonl" else _whole(table, text, wanted)
        how, others = dict.fromkeys(filter(None, [alphabet])), dict[str, None]()
        return Sheet(how, _objects(table, objects, columns, wanted, how, others), others)
    given = EXCEL.match(text)
    skipped = 1 if given else 0
    text, marks = (text[given.end() :], {given.group(1): "what its first line says"}) if given else (text, SEPARATORS)
    found = columns_of(text, marks, columns, wanted, is_file)
    if found is None:
        raise DataError(
            f"{table}: its first line is {first(text, next(iter(marks)))}; it must name a column "
            f"{' and a column '.join(wanted)}{', and may name split and group' if 'split' in columns else ''}; or, for "
            "several labels, a column of 0 and 1 for each class"
        )
    parted = {**SEPARATORS, **BLANK, **marks}[found.separator]
    form = [alphabet, "" if found.separator == "," else f"cells parted by {parted}", *found.how]
    rows = ((line, found.values(row, f"{table}, line {line}")) for line, row in _rows(table, text, found, skipped))
    return Sheet(dict.fromkeys(filter(None, form)), rows, dict.fromkeys(found.unread))


def as_text(found: Iterable[Mapping[str, Any]]) -> str:
    """A labels.csv of these rows."""
    out, listed = io.StringIO(), list(found)
    header = {name: name for name in COLUMNS}
    if any(row.get(SEVERAL) for row in listed):
        header[LABEL] = PLURAL
    writer = csv.DictWriter(out, list(header.values()), lineterminator="\n")
    writer.writeheader()
    for row in listed:
        cells = {name: text(row.get(name)) for name in COLUMNS}
        if row.get(SEVERAL):
            cells[LABEL] = label_sets.as_text(cells[LABEL])
        writer.writerow({header[name]: to_cell(cell) for name, cell in cells.items()})
    return out.getvalue()


def text(value: Any) -> str:
    """A value of a row without blanks around it; empty where there is none."""
    return "" if value is None else str(value).strip()


def _rows(table: Path, text: str, columns: Columns, skipped: int) -> Iterator[tuple[int, list[str]]]:
    reader = cells_of(text, columns.separator, strict=True)
    header: list[str] = []
    line = skipped
    try:
        for cells in reader:
            line = reader.line_num + skipped
            if not any(cell.strip() for cell in cells):
                continue  # as spreadsheets leave them at the end
            if not header:
                header = cells
                if not columns.bare:
                    continue
            if any(cell.strip() for cell in cells[len(header) :]):
                raise DataError(
                    f"{table}, line {line}: {len(cells)} cells, where the first line has {len(header)}: "
                    f"{columns.separator.join(cells)[:80]}; put a text that holds {columns.separator!r} between quotes"
                )
            yield line, cells
    except csv.Error as error:
        raise DataError(
            f"{table}: behind line {line} quotation marks do not close ({error}): put a text that holds one between "
            "two, and write it twice"
        ) from None


def _lines(text: str) -> Iterator[tuple[int, Any]]:
    # Other signs that Python takes for line ends may stand in a name.
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        if line.strip():
            yield number, json.loads(line)


def _whole(table: Path, text: str, wanted: Sequence[str]) -> Iterator[tuple[int, Any]]:
    """The rows of one JSON value: a list of objects, or of Label Studio's tasks, or an object path: label."""
    held = json.loads(text)
    if isinstance(held, dict) and "annotations" in held:
        raise DataError(f"{table} holds boxes in the form of COCO; for classes write a labels.csv (path,label)")
    if isinstance(held, dict):
        held = [dict(zip(wanted, pair, strict=False)) for pair in held.items()]
    if isinstance(held, list):
        held = [studio.row_of(one, str(table)) if studio.is_one(one) else one for one in held]
    yield from enumerate(held if isinstance(held, list) else [held], start=1)


def _objects(
    table: Path,
    found: Iterator[tuple[int, Any]],
    columns: Mapping[str, tuple[tuple[str, ...], ...]],
    wanted: Sequence[str],
    how: dict[str, None],
    others: dict[str, None],
) -> Iterator[Row]:
    """The rows of objects; puts into `how` which names were taken for ours, and into `others` what was not read."""
    while True:
        try:
            number, row = next(found)
        except StopIteration:
            return
        except ValueError as error:
            raise unreadable(table, error) from None
        named = known(list(row), columns, wanted) if isinstance(row, dict) else {}
        if not named:
            raise DataError(f"{table}, line {number}: not an object with {' and '.join(wanted)}: {str(row)[:80]}")
        lower = {name.strip().lower(): value for name, value in row.items()}
        values = {ours: lower[theirs] for ours, theirs in named.items()}
        how.update((f"{theirs} as {ours}", None) for ours, theirs in named.items() if theirs != ours)
        others.update(dict.fromkeys(unread(row, named.values())))
        yield number, values | _told(values.get(LABEL), named.get(LABEL, ""), f"{table}, line {number}")


def _told(label: Any, column: str, where: str) -> dict[str, Any]:
    """The label of an object, and how it was told where it is the text of a set.

    Raises DataError where it is no name, and no list of names.
    """
    if any(isinstance(one, dict | list) for one in (label if isinstance(label, list) else [label])):
        raise DataError(f"{where}: its {column or LABEL} is neither a name nor a list of names: {str(label)[:60]}")
    if isinstance(label, list | str):
        found, several = label_sets.of_cell(label, label_sets.SEPARATORS if column == PLURAL else (), where)
        return {LABEL: found} | ({SEVERAL: True} if several else {})
    if isinstance(label, float):
        # A missing number, and one that was counted as a float because others were missing.
        return {LABEL: int(label) if label.is_integer() else None if math.isnan(label) else label}
    return {}
