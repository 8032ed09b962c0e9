"""What leaves for the people who label: a table, the pictures beside it; and their answers, read again."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sightline.data.labels.exchange import refuse, spelled
from sightline.data.sources import cells
from sightline.data.sources.item import plain
from sightline.errors import DataError
from sightline.files import write_atomically
from sightline.labelling import label_studio
from sightline.labelling.chosen import REASONS
from sightline.labelling.pictures import kind, name_of, shown
from sightline.words import to_cell

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence
    from pathlib import Path

    from sightline.heads.labels import Labels
    from sightline.labelling.chosen import Chosen

TABLE = "labels.csv"
TASKS, CONFIG = "tasks.json", "config.xml"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a person said of a captured image. The fields are the columns of the table, in their order."""

    sha256: str
    label: str
    request: str
    place: int
    at: str
    """When the image was answered, ISO 8601 in UTC."""


COLUMNS = tuple(one.name for one in fields(Answer))


def write(folder: Path, images: Sequence[Chosen], *, suggest: bool) -> Path:
    """Write the table and the pictures into `folder`, which must be new or empty; the table.

    With `suggest` it says what the model answered, too. Raises DataError where the folder holds something.
    """
    check_new(folder)
    out = io.StringIO()
    names = [*COLUMNS, "why", "picture", *(["suggestion", "probability"] if suggest else [])]
    table = csv.DictWriter(out, names, lineterminator="\n", extrasaction="ignore")
    table.writeheader()
    for one in images:
        picture = shown(one.picture or b"")
        name = name_of(one.sha256, picture)
        write_atomically(folder / name, picture)
        values = line(one) | {"why": one.why, "picture": name, "suggestion": one.answer}
        table.writerow({key: to_cell(str(cell)) for key, cell in values.items()} | {"probability": _share(one)})
    write_atomically(folder / TABLE, out.getvalue())
    return folder / TABLE


def write_tasks(
    folder: Path, images: Sequence[Chosen], classes: Sequence[str], labels: Labels, *, suggest: bool
) -> Path:
    """The same for Label Studio: tasks with their pictures inside, and what its interface is configured with."""
    tasks = [
        label_studio.task(line(one), one.why, kind(picture), picture, labels.names(one.answer) if suggest else None)
        for one in images
        if one.picture is not None and (picture := shown(one.picture))
    ]
    return write_for_label_studio(folder, tasks, label_studio.config(classes, labels))


def write_for_label_studio(folder: Path, tasks: Sequence[dict[str, Any]], config: str) -> Path:
    """Write the tasks and the configuration; the tasks. Raises DataError where there are some already."""
    if (folder / TASKS).exists():
        raise DataError(f"{folder / TASKS} is there already: name a new folder, so that no labels are lost")
    write_atomically(folder / TASKS, json.dumps(tasks, ensure_ascii=False))
    write_atomically(folder / CONFIG, config)
    return folder / TASKS


def check_new(folder: Path) -> None:
    """Raise DataError where the folder holds something."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} holds something already: name a new folder, so that no labels are lost")


def line(one: Chosen) -> dict[str, Any]:
    """What tells the image apart, as columns."""
    return {"sha256": one.sha256, "label": "", "request": one.request, "place": one.place, "at": one.at}


def about(one: Chosen) -> str:
    """What a person is told of the image: when it was answered, and why it is asked for."""
    why = REASONS.get(one.why)
    return f"{one.at[:16].replace('T', ' ')}{f' · asked because {why}' if why else ''}"


def is_ours(table: Path) -> bool:
    """Whether the file holds answers to captured images, not labels of images of the data set."""
    if table.suffix.lower() == ".json":
        return True
    if not table.is_file() or table.suffix.lower() == ".jsonl":
        return False
    try:
        _sheet(table)
    except DataError:
        # What is no text of ours is told by whoever reads tables.
        return False
    return True


def read(table: Path, labels: Labels, classes: Container[str]) -> list[Answer]:
    """The answers of a table, or of what Label Studio exported, to images of a data set with these `classes`.

    Raises DataError naming every bad line.
    """
    if not table.is_file():
        raise DataError(f"{table}: there is no such file; the page of `sightline data label export` downloads one")
    lines = label_studio.answers(table, labels) if table.suffix.lower() == ".json" else _lines(table)
    found: dict[tuple[str, int], Answer] = {}
    bad = []
    for name, values in lines:
        try:
            one = _answer(values, found, labels, classes)
        except ValueError as error:
            bad.append(f"{name}: {error}")
        else:
            found[one.request, one.place] = one
    refuse(table, bad)
    return list(found.values())


def _lines(table: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    rows = list(_sheet(table).rows)
    missing = set(COLUMNS).difference(*(row for _, row in rows))
    if rows and missing:
        raise DataError(f"{table}: the column {' and '.join(sorted(missing))} is missing; put back what was exported")
    for number, row in rows:
        yield f"line {number}", {key: row.get(key, "") for key in COLUMNS}


def _sheet(table: Path) -> cells.Sheet:
    """The table as any spreadsheet saved it; raises DataError where no column names the request."""
    return cells.sheet(table, dict.fromkeys(COLUMNS, ()), ("request",))


def _answer(
    values: dict[str, Any], before: dict[tuple[str, int], Answer], labels: Labels, classes: Container[str]
) -> Answer:
    label = plain(str(values["label"]))
    if not label:
        raise ValueError(f"image {values['sha256'][:8]} has no label: fill it in, or delete the line")
    # Spreadsheets write whole numbers with a point, too.
    place = str(values["place"]).removesuffix(".0")
    if not place.isdecimal() or not _has_zone(values["at"]):
        raise ValueError(f"place {values['place']!r} is no number, or at {values['at']!r} no time with its zone")
    about = {"sha256": values["sha256"].lower(), "request": values["request"], "at": values["at"]}
    one = Answer(**about, label=spelled(label, labels, classes), place=int(place))
    said = before.get((one.request, one.place), one).label
    if said != one.label:
        raise ValueError(f"image {one.sha256[:8]} is {one.label!r} here and {said!r} before")
    return one


def _has_zone(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _share(one: Chosen) -> str:
    return "" if one.probability is None else f"{one.probability:.3f}"
