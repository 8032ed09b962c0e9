"""Captured answers, read: what there is on each day, and the answers between two times, in order, a part at a time."""

from __future__ import annotations

import posixpath
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sightline.errors import Damaged
from sightline.serve.record import COLUMNS, ENDING, SCHEMA, about, length, mark

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    from sightline.serve.record import About
    from sightline.serve.store import Place, Store

THREADS = 16
"""Files that are looked into at a time: a store far away takes its time for each."""
MARKED = re.compile(r"-([0-9a-f]{12})\.parquet$")
AT = SCHEMA.field("at").type


@dataclass(frozen=True)
class File:
    """A captured file."""

    place: Place
    about: About
    rows: int
    first: datetime | None
    """Of its answers; None where it only tells what was dropped."""
    last: datetime | None


@dataclass(frozen=True)
class Found:
    """The files that hold answers between two times."""

    store: Store
    start: datetime
    end: datetime
    files: tuple[File, ...]
    damaged: dict[str, str] = field(default_factory=dict)
    """Name of a file that cannot be read → why. What it held counts nowhere: whoever asks must say so."""

    def tables(self, columns: Sequence[str] = COLUMNS) -> Iterator[pa.Table]:
        """The answers from `start` on and before `end` by their time, a part at a time.

        Of several servers' files only those are in memory at a time that overlap. Raises Damaged where a file that
        looked whole is not.
        """
        wanted = ("at", *(name for name in columns if name != "at"))
        waiting = SCHEMA.empty_table().select(wanted)
        for one in sorted((one for one in self.files if one.first), key=lambda one: (one.first, one.place.name)):
            ready = pc.less(waiting["at"], pa.scalar(one.first, AT))
            if pc.any(ready).as_py():
                yield waiting.filter(ready).select(columns)
                waiting = waiting.filter(pc.invert(ready))
            waiting = pa.concat_tables([waiting, self._read(one, wanted)]).sort_by("at")
        if len(waiting):
            yield waiting.select(columns)

    def _read(self, file: File, columns: Sequence[str]) -> pa.Table:
        table = read(self.store, file.place.name, columns)
        after, before = (pa.scalar(one, AT) for one in (self.start, self.end))
        return table.filter(pc.and_(pc.greater_equal(table["at"], after), pc.less(table["at"], before)))


@dataclass(frozen=True, kw_only=True)
class Day:
    """What was recorded of a version on a day, in UTC."""

    day: str
    version: str
    role: str
    rows: int
    bytes: int
    abstained: float | None
    """Share of the answers; None where the version cannot tell."""
    foreign: float | None
    dropped: int
    """Answers that were not recorded, as far as a later file tells."""


def days(found: Found) -> tuple[list[Day], dict[str, str]]:
    """A row for each day, version and role; and the files that cannot be read, by name, with the reason."""
    groups: dict[tuple[str, str, str], list[tuple[File, pa.Table]]] = {}
    damaged = dict(found.damaged)
    for file in found.files:
        try:
            table = read(found.store, file.place.name, ("abstain", "foreign"))
        except Damaged as error:
            damaged[file.place.name] = str(error)
            continue
        key = (posixpath.dirname(file.place.name).removeprefix("date="), file.about.version, file.about.role)
        groups.setdefault(key, []).append((file, table))
    return [_day(key, files) for key, files in sorted(groups.items())], damaged


def _day(key: tuple[str, str, str], files: Sequence[tuple[File, pa.Table]]) -> Day:
    table = pa.concat_tables([table for _, table in files])
    day, version, role = key
    return Day(
        day=day,
        version=version,
        role=role,
        rows=len(table),
        bytes=sum(file.place.size for file, _ in files),
        abstained=pc.mean(table["abstain"]).as_py(),
        foreign=pc.mean(table["foreign"]).as_py(),
        dropped=sum(file.about.dropped for file, _ in files),
    )


def look(store: Store, start: datetime | None = None, end: datetime | None = None, known: Container[str] = ()) -> Found:
    """The files that hold answers from `start` on and before `end`, but for those whose names are `known`.

    A part of each is read. An answer is in a file a minute after it was given, later where the store could not be
    written.
    """
    start, end = start or datetime.min.replace(tzinfo=UTC), end or datetime.max.replace(tzinfo=UTC)
    places = [place for day in store.days() if start.date() <= day <= end.date() for place in store.files(day)]
    places = [place for place in places if place.name not in known]
    with ThreadPoolExecutor(THREADS, "look") as pool:
        looked = list(pool.map(lambda place: _look(store, place), places))
    damaged = {place.name: one for place, one in zip(places, looked, strict=True) if isinstance(one, str)}
    files = [one for one in looked if isinstance(one, File)]
    inside = [one for one in files if one.first is None or (one.first < end and one.last >= start)]  # type: ignore[operator]
    return Found(store, start, end, tuple(inside), damaged)


def _look(store: Store, place: Place) -> File | str:
    """The file, or why it cannot be read."""
    try:
        with store.open(place.name) as handle, pq.ParquetFile(handle) as file:
            said = about(file.schema_arrow)
            _check(place, handle)
            column = COLUMNS.index("at")
            groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
            times = [group.column(column).statistics for group in groups if group.num_rows]
            first, last = min((one.min for one in times), default=None), max((one.max for one in times), default=None)
            return File(place, said, file.metadata.num_rows, first, last)
    except (Damaged, pa.ArrowException, OSError, ValueError) as error:
        return _reason(error)


def _check(place: Place, handle: Any) -> None:
    """Raises Damaged where the file does not say of its pages what it was named by."""
    named = MARKED.search(place.name)
    if named is None:
        return
    handle.seek(place.size - ENDING)
    handle.seek(max(0, place.size - ENDING - length(handle.read(ENDING))))
    if mark(handle.read()) != named[1]:
        raise Damaged("its footer is not as it was written")


def read(store: Store, name: str, columns: Sequence[str]) -> pa.Table:
    """The answers of one file; raises Damaged where it is not whole."""
    try:
        with store.open(name) as handle, pq.ParquetFile(handle, page_checksum_verification=True) as file:
            table = file.read(columns=list(columns)).replace_schema_metadata(None)
            for one in columns:
                if one not in table.column_names:
                    # An earlier version of the columns lacks it.
                    table = table.append_column(SCHEMA.field(one), pa.nulls(len(table), SCHEMA.field(one).type))
            return table.select(columns)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Damaged(f"{name}: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
