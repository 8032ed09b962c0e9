"""A table beside the images: labels.csv or labels.jsonl with path, label and, if wanted, split and group."""

from __future__ import annotations

import csv
import io
import json
import os
import posixpath
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sightline.data.sources import entries, label_sets
from sightline.data.sources.item import SPLITS, Item, plain
from sightline.data.sources.label_sets import PLURAL, SEVERAL
from sightline.errors import DataError
from sightline.words import from_cell, to_cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

NAMES = ("labels.csv", "labels.jsonl")
OTHERS = ("metadata.csv", "metadata.jsonl")
"""Taken for such a table where they name path and label, as those of Hugging Face's image folders do."""
COLUMNS: dict[str, tuple[str, ...]] = {
    "path": ("file_name", "filename", "file", "filepath", "file_path", "image", "image_path", "img"),
    "label": ("class", "class_name", "category", "target", "labels"),
    "split": ("set", "subset"),
    "group": (),
}
"""Our name of a column → what others call it."""
BY_COLUMNS = "by columns"
"""In a row: whether its label was told by columns of 0 and 1."""
SEPARATORS = (",", ";", "\t")
UTF16 = (b"\xff\xfe", b"\xfe\xff")


def fits(folder: Path) -> bool:
    """Whether a table lies at the top of `folder`."""
    return find(folder) is not None


def find(folder: Path) -> Path | None:
    """The table at the top of `folder`, if there is one."""
    for name in (*NAMES, *OTHERS):
        if entries.is_open(folder, folder / name) and (name in NAMES or _names_images(folder / name)):
            return folder / name
    return None


def _names_images(table: Path) -> bool:
    with suppress(DataError):
        # Columns of 0 and 1 alone name no classes there: they may be facts about the images.
        first = next(rows(table), None)
        return first is not None and not first[1].get(BY_COLUMNS)
    return False


def items(folder: Path) -> Iterator[Item]:
    """The files that the table lists, there or not; paths are relative to the table.

    Raises DataError, with the line, where the table is broken or lists a file twice.
    """
    table = find(folder)
    if table is None:
        return
    inside, seen = os.path.realpath(folder), set[str]()
    for number, row in rows(table):
        path = plain_path(row, inside)
        if path in seen:
            raise DataError(f"{table}, line {number}: {path} is listed twice; keep one line per image")
        seen.add(path)
        split = _text(row.get("split")).lower()
        if split and split not in SPLITS:
            raise DataError(f"{table}, line {number}: split {split!r} is none of {', '.join(SPLITS)}")
        label, group = plain(_text(row.get("label"))), _text(row.get("group")) or None
        reason, several = why_closed(inside, path), bool(row.get(SEVERAL))
        said = reason or (None if label else "no label")
        yield Item(path, label, SPLITS.get(split), group, said, bool(reason), several)


def rows(table: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Line number and values of each row of a .csv or .jsonl file, by our names for the columns.

    Raises DataError where it cannot be read, or lacks path or label.
    """
    try:
        yield from _jsonl_rows(table) if table.suffix.lower() == ".jsonl" else _csv_rows(table)
    except (UnicodeDecodeError, csv.Error, json.JSONDecodeError) as error:
        raise DataError(f"{table} cannot be read: {error}; save it as UTF-8 text, one image per line") from None


def _csv_rows(table: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    text = _decoded(table)
    told = (one for known in (_known, _classes) for one in SEPARATORS if known(next(_cells(text, one), [])))
    separator = next(told, ",")
    reader = _cells(text, separator)
    first: list[str] = next(reader, [])
    header = [name.strip().lower() for name in first]
    classes = {} if _known(header) else _classes(first)
    named = _known(header) or (_known([*header, "label"]) if classes else {})
    if not named:
        raise DataError(
            f"{table}: its first line is {first}; it must name a column path and a column label, and may name split "
            "and group; or, for several labels, a column of 0 and 1 for each class"
        )
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue  # as spreadsheets leave them at the end
        if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
            raise DataError(
                f"{table}, line {reader.line_num}: {len(cells)} cells, where the first line has {len(header)}: "
                f"{separator.join(cells)[:80]}; put a text that holds {separator!r} between quotes"
            )
        row = dict(zip(header, cells, strict=False))
        found = {ours: from_cell(row.get(theirs, "")) for ours, theirs in named.items()}
        yield reader.line_num, found | _label(table, reader.line_num, row, found["label"], named["label"], classes)


def _classes(header: Sequence[str]) -> dict[str, str]:
    """Column → class of a table with a column path and no label, whose other columns are 0 or 1; else nothing."""
    named = _known([*header, "label"])
    return label_sets.class_columns(header, named.values()) if named and not _known(header) else {}


def _label(
    table: Path, number: int, row: Mapping[str, str], text: str, column: str, classes: Mapping[str, str]
) -> dict[str, Any]:
    """The label of a row, and how it was told where it is the text of a set."""
    if classes:
        said = label_sets.of_columns(row, classes, f"{table}, line {number}")
        return {"label": said, SEVERAL: bool(said), BY_COLUMNS: True}
    label, several = label_sets.of_text(text, column)
    return {"label": label, SEVERAL: True} if several else {}


def _cells(text: str, separator: str) -> Any:
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator)


def as_text(found: Iterable[Mapping[str, Any]]) -> str:
    """A labels.csv of these rows."""
    out, listed = io.StringIO(), list(found)
    header = {name: name for name in COLUMNS}
    if any(row.get(SEVERAL) for row in listed):
        header["label"] = PLURAL
    writer = csv.DictWriter(out, list(header.values()), lineterminator="\n")
    writer.writeheader()
    writer.writerows({header[name]: to_cell(_text(row.get(name))) for name in COLUMNS} for row in listed)
    return out.getvalue()


def _decoded(table: Path) -> str:
    """The text, as spreadsheets save it: UTF-8, UTF-16 with its mark, or else the alphabet of Western Windows."""
    data = table.read_bytes()
    if b"\0" in data[:4096] and data[:2] not in UTF16:
        raise DataError(f"{table} is no text, but {_kind(data)}; name a folder of images, or a table of them")
    if data[:2] in UTF16:
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252")


def _kind(data: bytes) -> str:
    return "an archive: unpack it first" if data.startswith((b"PK", b"\x1f\x8b", b"Rar!", b"7z")) else "a binary file"


def _known(header: Sequence[str]) -> dict[str, str]:
    """Our name of a column → its name in the table; nothing where path or label is not there, or several may be it."""
    found: dict[str, str] = {}
    names = [name.strip().lower() for name in header]
    for ours, spellings in COLUMNS.items():
        theirs = [ours] if ours in names else [name for name in names if name in spellings]
        if len(theirs) == 1:
            found[ours] = theirs[0]
    return found if {"path", "label"} <= found.keys() else {}


def _jsonl_rows(table: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(_decoded(table).splitlines(), start=1):
        if not line.strip():
            continue
        row = json.loads(line)
        named = _known(list(row)) if isinstance(row, dict) else {}
        if not named:
            raise DataError(f"{table}, line {number}: not an object with path and label: {line.strip()[:80]}")
        lower, where = {name.strip().lower(): value for name, value in row.items()}, f"{table}, line {number}"
        found = {ours: lower[theirs] for ours, theirs in named.items()}
        label = found["label"]
        if isinstance(label, list) and len(label) == 1:
            found["label"] = label[0]
        elif isinstance(label, list):
            found |= {"label": label_sets.of_list(label, where), SEVERAL: True}
        elif isinstance(label, str):
            text, several = label_sets.of_text(label, named["label"])
            found |= {"label": text, SEVERAL: True} if several else {}
        if isinstance(found["path"], list | dict):
            raise DataError(f"{where}: the path is no text but {str(found['path'])[:80]}")
        yield number, found


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def plain_path(row: Mapping[str, Any], inside: str) -> str:
    """The path that a row names, in its shortest form with forward slashes; empty where it names none.

    It is relative to the real path `inside` of the table's folder, also where it is written from the root, or upwards
    and down again.
    """
    value = str(row.get("path") or "").strip().replace("\\", "/")
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
    if not (place + os.sep).startswith(inside + os.sep):
        return entries.LEAVES
    return entries.why_closed(os.path.join(place, name), inside)  # noqa: PTH118 — a million rows


@lru_cache(maxsize=4096)
def _real(inside: str, where: str) -> str:
    return os.path.realpath(os.path.join(inside, where))  # noqa: PTH118
