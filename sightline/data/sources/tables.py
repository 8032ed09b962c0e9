"""A table beside the images: labels.csv or labels.jsonl with path, label and, if wanted, split and group."""

from __future__ import annotations

import csv
import json
import os
import posixpath
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sightline.data.sources import entries
from sightline.data.sources.item import SPLITS, Item, plain
from sightline.errors import DataError
from sightline.words import from_cell

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

NAMES = ("labels.csv", "labels.jsonl")


def fits(folder: Path) -> bool:
    """Whether a table lies at the top of `folder`."""
    return any(entries.is_open(folder, folder / name) for name in NAMES)


def items(folder: Path) -> Iterator[Item]:
    """The files that the table lists, there or not; paths are relative to the table.

    Raises DataError, with the line, where the table is broken or lists a file twice.
    """
    table = next(folder / name for name in NAMES if entries.is_open(folder, folder / name))
    inside, seen = os.path.realpath(folder), set[str]()
    for number, row in rows(table):
        path = plain_path(row)
        if path in seen:
            raise DataError(f"{table}, line {number}: {path} is listed twice; keep one line per image")
        seen.add(path)
        split = _text(row.get("split")).lower()
        if split and split not in SPLITS:
            raise DataError(f"{table}, line {number}: split {split!r} is none of {', '.join(SPLITS)}")
        label, group = plain(_text(row.get("label"))), _text(row.get("group")) or None
        reason = why_closed(inside, path)
        yield Item(path, label, SPLITS.get(split), group, reason or (None if label else "no label"), bool(reason))


def rows(table: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Line number and values of each row of a .csv or .jsonl file.

    Raises DataError where it cannot be read, or lacks path or label.
    """
    try:
        yield from _jsonl_rows(table) if table.suffix.lower() == ".jsonl" else _csv_rows(table)
    except (UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise DataError(f"{table} cannot be read: {error}; save it as UTF-8 text, one image per line") from None


def _csv_rows(table: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with table.open(encoding="utf-8-sig", newline="") as handle:
        reader = csv.DictReader(handle)
        header = [name.strip().lower() for name in reader.fieldnames or ()]
        missing = sorted({"path", "label"} - set(header))
        if missing:
            raise DataError(f"{table}: the column {' and '.join(missing)} is missing; its first line is {header}")
        reader.fieldnames = header
        for row in reader:
            # Cells beyond the header come as a list, missing ones as None.
            texts = {name: from_cell(cell) for name, cell in row.items() if isinstance(cell, str)}
            yield reader.line_num, {**row, **texts}


def _jsonl_rows(table: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with table.open(encoding="utf-8-sig") as handle:
        for number, line in enumerate(handle, start=1):
            if not line.strip():
                continue
            row = json.loads(line)
            if not isinstance(row, dict) or not {"path", "label"} <= row.keys():
                raise DataError(f"{table}, line {number}: not an object with path and label: {line.strip()[:80]}")
            yield number, row


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def plain_path(row: Mapping[str, Any]) -> str:
    """The path that a row names, in its shortest form with forward slashes; empty where it names none."""
    value = str(row.get("path") or "")
    return posixpath.normpath(value.replace("\\", "/")) if value.strip() else ""


def why_closed(inside: str, path: str) -> str | None:
    """Why the file that a table in the real path `inside` names must not be opened; None where it may."""
    if not path:
        return "no path"
    if path.startswith(("/", "../")) or path == "..":
        return "path that leaves the folder"
    where, name = os.path.split(path)
    # A folder on the way may be a link that leaves, too.
    place = _real(inside, where)
    if not (place + os.sep).startswith(inside + os.sep):
        return entries.LEAVES
    return entries.why_closed(os.path.join(place, name), inside)  # noqa: PTH118 — a million rows


@lru_cache(maxsize=4096)
def _real(inside: str, where: str) -> str:
    return os.path.realpath(os.path.join(inside, where))  # noqa: PTH118
