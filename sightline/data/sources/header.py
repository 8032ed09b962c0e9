"""The first line of a table: what parts the cells, and which of our columns it has under which names."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sightline.data.sources import label_sets
from sightline.data.sources.label_sets import BY_COLUMNS, COMMA, PLURAL, SEVERAL, THERE, UNFILLED
from sightline.words import from_cell, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

FACTS = ("species", "breed", "diagnosis", "dx", "type", "tag", "choice", "choices")
"""Columns that hold the names of classes; with 0 and 1, beside others of these, each is a class itself."""
COLUMNS: dict[str, tuple[tuple[str, ...], ...]] = {
    "path": (
        (
            *(
                "file_name",
                "filename",
                "file",
                "filenames",
                "filepath",
                "file_path",
                "filepaths",
                "paths",
                "relative_path",
            ),
            *("image", "image_path", "imagepath", "image_name", "img", "img_path", "img_name", "images"),
        ),
        ("image_id", "imageid", "img_id", "id", "id_code", "name"),
    ),
    "label": (
        (
            *("class", "class_name", "classname", "category", "category_name", "target", "labels"),
            *("label_name", "labelname"),
        ),
        (*FACTS, "y", "class_id", "class_index", "category_id"),
    ),
    "split": (("set", "subset", "data set"),),
    "group": (
        (
            *("patient", "patient_id", "patientid", "patient id"),
            *("subject", "subject_id", "subjectid", "subject id", "group_id", "groupid", "group id"),
        ),
    ),
}
"""Our name of a column → what others call it: what is meant for sure, and what is where that is not there."""
PEOPLE = ("patient", "subject")
"""Columns of groups that may be classes, too: they are where they hold 0 and 1 as all others do."""
OWN = frozenset(("sha256", "why", "picture", "suggestion", "probability", "request", "place", "at"))
"""Further columns of the tables that we write for people to label: nobody misses them."""
INDEX = re.compile(r"|unnamed: \d+|__index_level_\d+__")
"""Names of the number of the row, as pandas writes it."""
BINDING = {
    "split": "one called split says what is train, val or test",
    "group": "one called group what belongs on one side",
}
"""What is lost where such a column has another name."""
NAMED = 5
"""Columns that a sentence names before it counts the others."""
LABEL = "label"
WANTED = ("path", LABEL)
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
BLANK = {" ": "blanks"}


@dataclass(frozen=True)
class Columns:
    """Which cells of a row mean what."""

    separator: str
    places: dict[str, int]
    """Our name of a column → its place."""
    how: list[str]
    """What was taken for what."""
    between: tuple[str, ...] = ()
    """What may stand between several labels in their column."""
    classes: Mapping[str, int] = field(default_factory=dict)
    """Class → place of its column of 0 and 1."""
    there: Mapping[str, bool] = field(default_factory=THERE.copy)
    """Cell of these → whether the class is there."""
    bare: bool = False
    """No line names the columns."""
    unread: tuple[str, ...] = ()
    """The other columns."""

    def values(self, cells: Sequence[str], where: str) -> dict[str, Any]:
        """A row by our names, and how its label was told where it is the text of a set."""
        row: dict[str, Any] = {
            ours: from_cell(cells[at].strip()) for ours, at in self.places.items() if at < len(cells)
        }
        if self.classes:
            given = {name: cells[at] for name, at in self.classes.items() if at < len(cells)}
            said, unfilled = label_sets.of_columns(given, self.there, where), not any(map(str.strip, given.values()))
            return row | {LABEL: said, SEVERAL: bool(said), BY_COLUMNS: True, UNFILLED: unfilled}
        label, several = label_sets.of_cell(row.get(LABEL, ""), self.between, where)
        return row | {LABEL: label} | ({SEVERAL: True} if several else {})


def columns_of(
    text: str,
    marks: Mapping[str, str],
    columns: Mapping[str, tuple[tuple[str, ...], ...]],
    wanted: Sequence[str],
    is_file: Callable[[str], bool],
) -> Columns | None:
    """What the first line names; else that there is a column for each class, or path and label without names."""
    lines = {one: first(text, one) for one in {**marks, **BLANK}}
    for separator in marks:
        names = [name.strip().lower() for name in lines[separator]]
        theirs = known(names, columns, wanted)
        if theirs and not (theirs.get(LABEL) in FACTS and _classes(text, separator, lines[separator], columns, wanted)):
            others = tuple(unread(lines[separator], theirs.values()))
            places, how = _placed(names, theirs)
            between = _between(text, separator, places[LABEL]) if theirs.get(LABEL) == PLURAL else ()
            if between == (COMMA,):
                how.append(f"commas in {PLURAL} as between names (call it {LABEL} where they are part of one)")
            return Columns(separator, places, how, between=between, unread=others)
    for separator in marks:
        names = [name.strip().lower() for name in lines[separator]]
        classes = _classes(text, separator, lines[separator], columns, wanted)
        if classes:
            theirs = known([*names, LABEL], columns, wanted)
            theirs = {ours: name for ours, name in theirs.items() if ours != LABEL}
            places, how = _placed(
                names, {ours: name for ours, name in theirs.items() if names.index(name) not in classes.values()}
            )
            held = _held(text, separator)
            there, words = label_sets.meaning(cell.lower() for at in classes.values() for cell in held.get(at, ()))
            how.append(f"{len(classes)} columns of {words} as classes")
            return Columns(separator, places, how, classes=classes, there=there)
    for separator, cells in lines.items():
        if _is_bare(cells, wanted, is_file):
            how = ["the first column as path, the second as label: no line names them"]
            return Columns(separator, {ours: number for number, ours in enumerate(wanted)}, how, bare=True)
    return None


def _classes(
    text: str,
    separator: str,
    header: Sequence[str],
    columns: Mapping[str, tuple[tuple[str, ...], ...]],
    wanted: Sequence[str],
) -> dict[str, int]:
    """Class → place of its column of 0 and 1, where none is the label's; nothing where there are no such.

    What could be the label's is one of them where it holds 0 and 1 as all others do; a second path never is.
    """
    names = [name.strip().lower() for name in header]
    theirs = known([*names, LABEL], columns, wanted) if LABEL in wanted else {}
    if theirs.get("group") in PEOPLE and names.index(theirs["group"]) in _flags(text, separator):
        del theirs["group"]
    found = label_sets.class_columns(header, theirs.values()) if theirs else {}
    paths, labels = ({name for group in COLUMNS[ours] for name in group} for ours in WANTED)
    perhaps = labels.intersection(names)
    if not found or (perhaps and (perhaps - {*FACTS} or tuple(wanted) != WANTED)):
        return {}
    if perhaps or not paths.isdisjoint(name.lower() for name in found):
        flags = _flags(text, separator)
        found = {name: at for name, at in found.items() if at in flags or name.lower() not in paths}
        if perhaps and not flags.issuperset(found.values()):
            return {}
    return found if len(found) >= label_sets.FEWEST else {}


def _flags(text: str, separator: str) -> set[int]:
    """The places of the columns that hold nothing but 0 and 1."""
    cells = _held(text, separator)
    return {at for at, held in cells.items() if {cell.lower() for cell in held} <= {"", *THERE}}


def _between(text: str, separator: str, at: int) -> tuple[str, ...]:
    """What stands between the names in the column PLURAL at that place."""
    # Where commas part the cells, one inside of a cell is in quotation marks.
    if ('"' if separator == COMMA else COMMA) not in text:
        return label_sets.SEPARATORS
    return label_sets.separators_of(_held(text, separator).get(at, set()))


def _held(text: str, separator: str) -> dict[int, set[str]]:
    """Place of a column → the cells below its name; nothing where the quotation marks do not close."""
    try:
        rows = [row for row in cells_of(text, separator) if any(row)][1:]
    except csv.Error:
        return {}
    cells: dict[int, set[str]] = {}
    for row in rows:
        for at, cell in enumerate(row):
            cells.setdefault(at, set()).add(cell.strip())
    return cells


def _placed(names: Sequence[str], theirs: Mapping[str, str]) -> tuple[dict[str, int], list[str]]:
    how = [f"{name} as {ours}" for ours, name in theirs.items() if name != ours]
    return {ours: names.index(name) for ours, name in theirs.items()}, how


def known(
    header: Sequence[str],
    columns: Mapping[str, tuple[tuple[str, ...], ...]] = COLUMNS,
    wanted: Sequence[str] = WANTED,
) -> dict[str, str]:
    """Our name of a column → its name in the table; nothing where one is not there, or several may be it."""
    found: dict[str, str] = {}
    names = [name.strip().lower() for name in header]
    for ours, groups in columns.items():
        for spellings in ((ours,), *groups):
            theirs = [name for name in dict.fromkeys(names) if name in spellings and name not in found.values()]
            if len(theirs) == 1:
                found[ours] = theirs[0]
            if theirs:
                break
    return found if set(wanted) <= found.keys() else {}


def unread(header: Iterable[str], read: Collection[str]) -> Iterator[str]:
    """The columns that are not `read`, without those that say nothing of an image or are our own."""
    for name in header:
        plain = name.strip().lower()
        if plain not in read and plain not in OWN and not INDEX.fullmatch(plain):
            yield name.strip()


def without(names: Sequence[str], read: Collection[str]) -> str:
    """That the columns `names` are not read, and how those are called that would be; `read` are our names."""
    shown = ", ".join(map(visible, names[:NAMED]))
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    missing = [what for ours, what in BINDING.items() if ours not in read]
    remedy = f" ({', '.join(missing)})" if missing else ""
    return f"without the column{'s' * (len(names) > 1)} {shown}{more}{remedy}"


def first(text: str, separator: str) -> list[str]:
    """The cells of the first line; none where it cannot be parted so."""
    # A quotation mark that is never closed reaches to the end.
    lines = text.lstrip("\r\n").splitlines(keepends=True)[:50]
    try:
        return [cell.strip() for cell in next(cells_of("".join(lines), separator), [])]
    except csv.Error:
        return []


def _is_bare(first: Sequence[str], wanted: Sequence[str], is_file: Callable[[str], bool]) -> bool:
    return len(first) == len(wanted) == len(WANTED) and all(first) and is_file(first[0])


def cells_of(text: str, separator: str, *, strict: bool = False) -> Any:
    """The reader of all lines, which knows the number of the last."""
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=strict)
