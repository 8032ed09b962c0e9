"""Labels leave as a CSV file for people, and come back as a new version of the data set."""

from __future__ import annotations

import csv
import getpass
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd

from sightline.data import manifest
from sightline.data.labels import change, given
from sightline.data.labels.given import Label
from sightline.data.manifest import QUARANTINED
from sightline.data.sources import cells
from sightline.data.sources.item import plain
from sightline.data.sources.label_sets import SEVERAL, UNFILLED
from sightline.data.sources.listed import Finder
from sightline.data.versions import archive
from sightline.errors import DataError
from sightline.heads.labels import LABELS, SEPARATOR
from sightline.words import counted, to_cell

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Mapping, Sequence
    from pathlib import Path

    from sightline.heads.labels import Labels
    from sightline.project import Paths

    Suggest = Callable[[Sequence[Path]], list[dict[str, Any]]]

COLUMNS = ("path", "sha256", "label")
SHOWN = 10
"""Bad lines that an error names before it counts the others."""
CONTRADICTORY = "contradictory"
DIGEST = re.compile(r"[0-9a-f]{8,}")
WHOLE = re.compile(r"(-?\d+)\.0+")
"""A whole number as spreadsheets write it once a cell of its column is empty."""


@dataclass(frozen=True)
class Imported:
    """What came of an import."""

    given: int
    """Labels in the file."""
    changed: int
    """Those that differ from the labels before."""
    new_classes: tuple[str, ...]
    """Labels that no image had before: perhaps misspelt."""
    version: str
    """DVC digest of the manifest afterwards."""


def export(paths: Paths, use: str, table: Path, *, everything: bool, suggest: Suggest | None = None) -> int:
    """Write the images of data set `use` that need a label, or all of them, to the CSV file `table`; their number.

    `suggest` answers for image files as `predict_files` does and adds the columns suggestion and probability.
    Raises DataError where there is no manifest.
    """
    rows = manifest.read(paths.manifest(use))
    if not everything:
        rows = rows[needs_label(rows)]
    cells = zip(*(rows[name].fillna("") for name in COLUMNS), strict=True)
    lines: list[dict[str, Any]] = [dict(zip(COLUMNS, values, strict=True)) for values in cells]
    names = list(COLUMNS)
    if suggest is not None:
        names += ["suggestion", "probability"]
        answers = suggest([paths.raw(use) / line["path"] for line in lines])
        for line, answer in zip(lines, answers, strict=True):
            line["suggestion"] = answer.get("label", "")
            line["probability"] = f"{answer['probability']:.3f}" if "probability" in answer else ""
    if table.is_dir() or not table.parent.is_dir():
        raise DataError(f"{table} cannot be written: name a file in a folder that is there, such as todo.csv")
    with table.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: to_cell(cell) for name, cell in line.items()} for line in lines)
    return len(lines)


def take(paths: Paths, use: str, table: Path) -> Imported:
    """Take over the labels of the `table` (columns label, and sha256 or path) and make the version that has them.

    Raises DataError naming every bad line; then, and where the version cannot be made, nothing has changed.
    """
    if LABELS[paths.params.task_of(use)].are_boxes:
        raise DataError(
            f"{table}: boxes are no column of a table; `sightline data label export FOLDER` writes a page to draw them "
            "on, and what that downloads is imported"
        )
    rows = manifest.read(paths.manifest(use))
    entries = _read(table, paths.raw(use), rows, LABELS[paths.params.task_of(use)])
    return put(paths, use, rows, entries, table.name, {})


def put(
    paths: Paths, use: str, rows: pd.DataFrame, entries: Mapping[str, str], origin: str, files: Mapping[Path, bytes]
) -> Imported:
    """Give the images of `entries`, digest → label, their labels, add `files`, and make the version that has them.

    `rows` are those of the manifest. Where the version cannot be made, nothing has changed.
    """
    labels = LABELS[paths.params.task_of(use)]
    spelled = labels.normal(pd.Series(list(entries.values()), dtype="string"))
    entries = dict(zip(entries, spelled.tolist(), strict=True))
    imported = rows["sha256"].map(entries).astype("string")
    differs = imported.notna() & (rows["label"].fillna("") != imported.fillna(""))
    changed = sorted({*rows.loc[differs, "sha256"], *(entries.keys() - set(rows["sha256"]))})
    said = {name for text in entries.values() for name in labels.names(text)}
    new_classes = tuple(sorted(said - set(labels.each(rows["label"]))))
    if changed or files:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        who = getpass.getuser()
        fresh = {digest: Label(sha256=digest, label=entries[digest], by=who, at=now) for digest in changed}
        place = paths.labels(use)
        table = given.text({**given.read(place), **fresh}.values()).encode()
        note = f"{counted(len(fresh), 'label')} imported from {origin}"
        change.make(paths, use, {**files, place: table}, note)
    return Imported(len(entries), len(changed), new_classes, archive.current(paths, use).digest)


def spelled(label: str, labels: Labels, classes: Container[str]) -> str:
    """A label that a person gave, in its one spelling; `3.0` is the class `3` where one of `classes` is called so."""
    names = [
        found[1] if name not in classes and (found := WHOLE.fullmatch(name)) and found[1] in classes else name
        for name in labels.names(label)
    ]
    return labels.spelled(SEPARATOR.join(names))


def needs_label(rows: pd.DataFrame) -> pd.Series:
    """Which rows of a manifest have no label, or two that contradict one another."""
    reason = rows["reason"].fillna("")
    torn = (rows["status"] == QUARANTINED) & reason.str.startswith(CONTRADICTORY)
    return rows["label"].isna() | torn


def _read(table: Path, raw: Path, rows: pd.DataFrame, labels: Labels) -> dict[str, str]:
    """Digest → label of every line; all bad lines are told at once."""
    if not table.is_file():
        what = "is a folder: name the file in it" if table.is_dir() else "there is no such file"
        raise DataError(f"{table}: {what}; `sightline data label export` writes one to fill in")
    entries: dict[str, tuple[str, int]] = {}
    bad, known = [], set(rows["sha256"])
    for line, digest, label, unfit in _lines(table, raw, rows, labels):
        fault = _fault(digest, label, known, entries) or unfit
        if fault:
            bad.append(f"line {line}: {fault}")
        else:
            entries.setdefault(digest, (label, line))
    refuse(table, bad)
    if not entries:
        raise DataError(f"{table}: no line names an image and its label, so nothing is imported")
    return {digest: label for digest, (label, _) in entries.items()}


def _lines(table: Path, raw: Path, rows: pd.DataFrame, labels: Labels) -> Iterator[tuple[int, str, str, str]]:
    """Line, digest and label of each row, and why the task cannot learn that; else empty.

    The table is read as a labels.csv; images are named by either.
    """
    wanted = {"sha256": (), "label": cells.COLUMNS["label"]}
    classes = set(labels.each(rows["label"]))
    try:
        sheet = cells.sheet(table, wanted, tuple(wanted))
    except DataError:
        digests = dict(zip(rows["path"], rows["sha256"], strict=True))
        found = list(cells.sheet(table, is_file=digests.__contains__).rows)
        finder = Finder(raw, table.stem, [row for _, row in found])
        for line, row in found:
            path = cells.text(row.get("path"))
            path = path if path in digests else finder.find(row)[0]
            yield line, digests.get(path, path), *_labelled(row, labels, classes)
        return
    for line, row in sheet.rows:
        yield line, cells.text(row.get("sha256")).lower(), *_labelled(row, labels, classes)


def _labelled(row: Mapping[str, Any], labels: Labels, classes: Container[str]) -> tuple[str, str]:
    # Elsewhere a row of empty cells may say that no class shows: here it is what nobody has come to yet.
    label = "" if row.get(UNFILLED) else plain(cells.text(row.get("label"))) or ""
    fault = (labels.fault(label) or "") if row.get(SEVERAL) else ""
    return (spelled(label, labels, classes) if label else ""), fault


def refuse(table: Path, bad: Sequence[str]) -> None:
    """Raise DataError with the first `bad` lines of `table`, where there are any."""
    if bad:
        more = [f"… and {len(bad) - SHOWN} more"] if len(bad) > SHOWN else []
        count = counted(len(bad), "bad line")
        raise DataError("\n".join([f"{table}: {count}, nothing was imported", *bad[:SHOWN], *more]))


def _fault(digest: str, label: str, known: set[str], entries: dict[str, tuple[str, int]]) -> str:
    """What is wrong with a line, or an empty text."""
    if digest not in known:
        named = "with the sha256" if DIGEST.fullmatch(digest) else "called"
        return f"the data set has no image {named} {digest!r}"
    if not label:
        return f"image {digest[:8]} has no label: fill it in, or delete the line"
    before, line = entries.get(digest, (label, 0))
    return f"image {digest[:8]} is {label!r} here and {before!r} on line {line}" if before != label else ""
