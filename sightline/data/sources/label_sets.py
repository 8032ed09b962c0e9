"""Several labels of an image in a table: a list, a column `labels` with semicolons, or a column of 0 and 1 for each."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sightline.errors import DataError
from sightline.heads.labels import SEPARATOR, joined, names_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from sightline.data.sources.item import Item

SEVERAL = "several"
"""In a row of a table: whether its label is the text of a set."""
BY_COLUMNS = "by columns"
"""In a row: whether its label was told by columns of 0 and 1."""
PLURAL = "labels"
"""A column that may hold several labels, with one of SEPARATORS between them."""
SEPARATORS = (SEPARATOR, "|")
THERE = {"1": True, "1.0": True, "true": True, "yes": True, "0": False, "0.0": False, "false": False, "no": False}
CATEGORIES = ("category", "categories", "label", "labels", "class", "classes", "category_id")
"""Under which of these names the `objects` of an image have their classes (Hugging Face)."""
FEWEST = 2
"""Columns of 0 and 1 that are taken for classes; one alone may say anything."""


def of_list(values: Sequence[Any], where: str) -> str:
    """The text of a list of labels; raises DataError where a name holds what separates names."""
    names = [str(value).strip() for value in values if value is not None]
    for name in names:
        if SEPARATOR in name:
            raise DataError(
                f"{where}: the label {name!r} holds a {SEPARATOR!r}, which stands between labels; rename it"
            )
    return joined(name for name in names if name)


def of_text(text: str, column: str) -> tuple[str, bool]:
    """A cell of the label's column, and whether it is the text of a set."""
    separator = next((one for one in SEPARATORS if one in text), None)
    if column != PLURAL or separator is None:
        return text, False
    return joined(names_of(text.replace(separator, SEPARATOR))), True


def as_text(label: str) -> str:
    """A set as a cell of the column PLURAL: where its one name holds another separator, ours tells them apart."""
    return f"{label}{SEPARATOR}" if SEPARATOR not in label and any(one in label for one in SEPARATORS) else label


def class_columns(header: Sequence[str], known: Iterable[str]) -> dict[str, int]:
    """Class → place of its column, where a table has no column of labels and further ones beside the `known`.

    A name that stands there twice is none: nobody can tell which of the two counts.
    """
    # A nameless column is the number of the row, as pandas writes it.
    taken = {"", *known}
    others = [(name.strip(), at) for at, name in enumerate(header) if name.strip().lower() not in taken]
    found = dict(others)
    return found if len(others) == len(found) >= FEWEST else {}


def of_columns(cells: Mapping[str, str], where: str) -> str:
    """The text of the set that columns of 0 and 1 tell: class → cell.

    An empty cell is 0, a row of them is nobody's label.

    Raises DataError where one holds anything else.
    """
    if not any(cell.strip() for cell in cells.values()):
        return ""
    found = []
    for name, given in cells.items():
        cell = given.strip().lower()
        if cell and cell not in THERE:
            raise DataError(
                f"{where}: {cell!r} in column {name!r} is neither 0 nor 1; a table without a column label has a column "
                "of 0 and 1 for each class"
            )
        if THERE.get(cell):
            found.append(name)
    return of_list(found, where)


def shows_several(folder: Path, items: Iterable[Item]) -> bool:
    """Whether the files of `folder` say that an image has several labels: in a table, or by links under two classes.

    Copies of a file under two classes say nothing yet: they may be mistakes.
    """
    seen: dict[tuple[int, int], str] = {}
    for one in items:
        if one.several:
            return True
        if one.label is None or one.closed:
            continue
        place = os.path.join(folder, one.path)  # noqa: PTH118 — a million files
        try:
            known = os.stat(place)  # noqa: PTH116
        except OSError:
            continue
        if seen.setdefault((known.st_dev, known.st_ino), one.label) != one.label:
            return True
    return False
