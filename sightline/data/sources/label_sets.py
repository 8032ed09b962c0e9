"""Several labels of an image in a table: a list, a column `labels` with semicolons, or a column of 0 and 1 for each."""

from __future__ import annotations

import ast
import json
import os
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from sightline.errors import DataError
from sightline.heads.labels import SEPARATOR, joined, names_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from sightline.data.sources.item import Item

SEVERAL = "several"
"""In a row of a table: whether its label is the text of a set."""
BY_COLUMNS = "by columns"
"""In a row: whether its label was told by columns of 0 and 1."""
UNFILLED = "unfilled"
"""In a row: whether none of these columns holds anything."""
PLURAL = "labels"
"""A column that may hold several labels, with one of SEPARATORS between them."""
SEPARATORS = (SEPARATOR, "|")
COMMA = ","
"""Stands between names, too, where the whole column looks so: it may be part of a name."""
ITEM = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|-?\d+""", re.DOTALL)
LIST = re.compile(rf"[\[({{]\s*(?:{ITEM.pattern})(?:[\s,]+(?:{ITEM.pattern}))*[\s,]*[\])}}]", re.DOTALL)
"""The text of a list, tuple or set as Python writes it, or of an array as NumPy does, without commas."""
EMPTY = frozenset(("[]", "()", "set()"))
CHOICES = "choices"
"""Of the object that Label Studio writes into a cell where several were chosen."""
THERE = {"1": True, "1.0": True, "true": True, "yes": True, "0": False, "0.0": False, "false": False, "no": False}
SIGNED = {"1": True, "1.0": True, "-1": False, "-1.0": False}
MARKS = {"x": True, "✓": True, "✔": True}
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


def as_list(value: Any, *, numbers: bool = False) -> Any:
    """The list whose text `value` is, as `DataFrame.to_csv` writes a column of lists; else the value itself.

    It holds names in quotation marks; `numbers` alone, too, where no range such as [0, 5] can be meant.
    """
    text = value.strip() if isinstance(value, str) else ""
    if text in EMPTY:
        return []
    if text[:1] not in {"[", "(", "{"}:
        return value
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    found = found.get(CHOICES) if isinstance(found, dict) else found
    if not isinstance(found, list) and LIST.fullmatch(text):
        try:
            found = [ast.literal_eval(one) for one in ITEM.findall(text)]
        except (SyntaxError, ValueError):
            return value
    kinds = (str, int) if numbers and text[0] + text[-1] == "[]" else (str,)
    return found if isinstance(found, list) and all(isinstance(one, kinds) for one in found) else value


def of_cell(cell: Any, separators: Sequence[str], where: str) -> tuple[Any, bool]:
    """A cell of the label's column, and whether it is the text of a set.

    `separators`: what may stand between several names; none in a column of one label for each image.
    Raises DataError as `of_list` does.
    """
    names = as_list(cell, numbers=bool(separators))
    if isinstance(names, list):
        text = of_list(names, where)
        return (names[0], False) if len(names) == 1 else (text, True)
    separator = next((one for one in separators if one in cell), None)
    return (cell, False) if separator is None else (joined(names_of(cell.replace(separator, SEPARATOR))), True)


def separators_of(cells: Collection[str]) -> tuple[str, ...]:
    """What stands between names in a column PLURAL with these cells."""
    ours = any(one in cell for cell in cells for one in SEPARATORS) or any(as_list(cell) != cell for cell in cells)
    return SEPARATORS if ours or not _look_joined(cells, COMMA) else (COMMA,)


def doubt(names: Collection[str]) -> str | None:
    """That names which were read as one each look like several, and how that is told; None where they do not."""
    for separator in (COMMA, " "):
        if _look_joined(names, separator):
            example = min(name for name in names if separator in name)
            return f"{example!r} as one name (where it is several, put {SEPARATOR} between them, in a column {PLURAL})"
    return None


def _look_joined(cells: Collection[str], separator: str) -> bool:
    """Whether few parts make many cells, and each part of a cell of several is in another cell, too."""
    parts = [{part.strip() for part in cell.split(separator) if part.strip()} for cell in set(cells) if cell.strip()]
    times = Counter(part for one in parts for part in one)
    several = [one for one in parts if len(one) > 1]
    return bool(several) and len(times) < len(parts) and all(times[part] > 1 for one in several for part in one)


def as_text(label: str) -> str:
    """A set as a cell of the column PLURAL: where its one name holds another separator, ours tells them apart."""
    others = any(one in label for one in (*SEPARATORS, COMMA))
    return f"{label}{SEPARATOR}" if SEPARATOR not in label and others else label


def class_columns(header: Sequence[str], known: Iterable[str]) -> dict[str, int]:
    """Class → place of its column, where a table has no column of labels and further ones beside the `known`.

    A name that stands there twice is none: nobody can tell which of the two counts.
    """
    # A nameless column is the number of the row, as pandas writes it.
    taken = {"", *known}
    others = [(name.strip(), at) for at, name in enumerate(header) if name.strip().lower() not in taken]
    found = dict(others)
    return found if len(others) == len(found) >= FEWEST else {}


def meaning(cells: Iterable[str]) -> tuple[Mapping[str, bool], str]:
    """Cell → whether its class is there, by all cells of the columns of classes in lower case; and what they hold.

    An empty cell says that a class is not there where no other cell does.
    """
    told = set(cells)
    held = told - {""}
    for known, words in ((THERE, "0 and 1"), (SIGNED, "1 and -1"), (MARKS, "marks")):
        if held and held <= known.keys():
            blank = "" in told and all(known[cell] for cell in held)
            return ({**known, "": False}, f"{words}, empty cells as 0,") if blank else (known, words)
    return THERE, "0 and 1"


def of_columns(cells: Mapping[str, str], there: Mapping[str, bool], where: str) -> str:
    """The text of the set that columns of 0 and 1 tell: class → cell, with the `meaning` of each.

    An empty cell is 0; a row of them is nobody's label, unless an empty cell is all that says 0 in the table.

    Raises DataError where one holds anything else.
    """
    if "" not in there and not any(cell.strip() for cell in cells.values()):
        return ""
    found = []
    for name, given in cells.items():
        cell = given.strip().lower()
        if cell and cell not in there:
            raise DataError(
                f"{where}: {cell!r} in column {name!r} is neither 0 nor 1; a table without a column label has a column "
                "of 0 and 1 for each class"
            )
        if there.get(cell):
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
