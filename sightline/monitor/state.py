"""What the monitor remembers, in one SQLite file: a look is one transaction, and a second monitor waits for it."""

from __future__ import annotations

import io
import json
import sqlite3
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sightline.errors import ProjectError
from sightline.files import write_atomically
from sightline.monitor.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.project import Paths
    from sightline.serve.history import File

WAIT = 600.0
"""Seconds that a look waits for another one to end."""
TABLE = "watched"
"""One that every such file has."""
SCHEMA = """
-- Captured files that were looked at, whole or not at all: where they come late they are still new.
CREATE TABLE IF NOT EXISTS files (name TEXT PRIMARY KEY, digest TEXT, role TEXT, rows INTEGER, first TEXT,
    dropped INTEGER, done INTEGER DEFAULT 0) WITHOUT ROWID;
-- Which camera had its image in which interval.
CREATE TABLE IF NOT EXISTS heard (digest TEXT, origin TEXT, interval INTEGER, PRIMARY KEY (digest, origin, interval))
    WITHOUT ROWID;
-- The audit sample, and the labels that were given it.
CREATE TABLE IF NOT EXISTS audit (request TEXT, place INTEGER, at TEXT, version TEXT, digest TEXT, answer TEXT,
    sha256 TEXT, file TEXT, label TEXT, given TEXT, counted INTEGER DEFAULT 0, PRIMARY KEY (request, place))
    WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS audited ON audit (digest, counted);
-- Bets and counts of a version, against a reference.
CREATE TABLE IF NOT EXISTS watched (digest TEXT PRIMARY KEY, reference TEXT, told TEXT, arrays BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS looks (number INTEGER PRIMARY KEY, at TEXT, digest TEXT, outcome TEXT);
"""


def place(paths: Paths) -> Path:
    """The file."""
    return paths.root / "monitor" / "state.db"


class State:
    """The file, open: everything in the block is there afterwards, or where it raises nothing.

    Who is only `reading` waits for nobody. Raises ProjectError where another process holds it for longer than a look
    takes, or it is no such file.
    """

    def __init__(self, paths: Paths, *, reading: bool = False) -> None:
        self._file, self._reading = place(paths), reading

    def __enter__(self) -> Self:
        if not self._file.parent.is_dir():
            write_atomically(self._file.parent / ".gitignore", "*\n")
        try:
            self._db = sqlite3.connect(self._file, timeout=WAIT, isolation_level=None)
            self._db.row_factory = sqlite3.Row
            tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if tables and TABLE not in tables:
                self._db.close()
                raise ProjectError(
                    f"{self._file}, what the monitor remembers, is another database: put a copy of it back, or move it "
                    "away, and the watch begins anew"
                )
            # Readers see what was there before a look, however long it takes.
            self._db.execute("PRAGMA journal_mode = WAL")
            # By default WAL does not wait for the disk.
            self._db.execute("PRAGMA synchronous = FULL")
            if not self._reading or TABLE not in tables:
                # By itself: until the first look ends, or after it was killed, who reads finds nothing, but its tables.
                self._db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
            self._db.execute("BEGIN" if self._reading else "BEGIN IMMEDIATE")
        except sqlite3.DatabaseError as error:
            raise ProjectError(f"{self._file}, what the monitor remembers, cannot be used: {error}") from None
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._db.execute("COMMIT" if kind is None else "ROLLBACK")
        self._db.close()

    def known(self) -> set[str]:
        """Names of the captured files that were looked at."""
        return {row["name"] for row in self._db.execute("SELECT name FROM files")}

    def note(self, files: Iterable[File]) -> None:
        """Remember what captured files there are."""
        rows = [
            (one.place.name, one.about.digest, one.about.role, one.rows, str(one.first or ""), one.about.dropped)
            for one in files
        ]
        text = "INSERT OR IGNORE INTO files (name, digest, role, rows, first, dropped) VALUES (?, ?, ?, ?, ?, ?)"
        self._db.executemany(text, rows)

    def new(self, digest: str) -> list[str]:
        """Files with answers of that version to callers that have not entered yet, in order of time."""
        found = self._db.execute(
            "SELECT name FROM files WHERE digest = ? AND role = 'champion' AND NOT done ORDER BY first, name", [digest]
        )
        return [row["name"] for row in found]

    def done(self, name: str) -> None:
        """All answers of that file have entered."""
        self._db.execute("UPDATE files SET done = 1 WHERE name = ?", [name])

    def entered(self, digest: str) -> int:
        """Answers of the version that have entered."""
        text = "SELECT COALESCE(SUM(rows), 0) AS rows FROM files WHERE digest = ? AND done"
        return int(self._db.execute(text, [digest]).fetchone()["rows"])

    def counts(self, digest: str) -> tuple[int, int]:
        """Answers of the version to callers, and those that were dropped."""
        (row,) = self._db.execute(
            "SELECT COALESCE(SUM(rows), 0) AS rows, COALESCE(SUM(dropped), 0) AS dropped FROM files "
            "WHERE digest = ? AND role = 'champion'",
            [digest],
        )
        return int(row["rows"]), int(row["dropped"])

    def first_of(self, digest: str, keys: Iterable[tuple[str, int]]) -> list[bool]:
        """Whether each camera has its first image in that interval now; from now on it has had it."""
        text = "INSERT OR IGNORE INTO heard VALUES (?, ?, ?)"
        return [self._db.execute(text, (digest, *key)).rowcount == 1 for key in keys]

    def draw(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add images to the audit sample: request, place, at, version, digest, answer, sha256, file."""
        text = "INSERT OR IGNORE INTO audit (request, place, at, version, digest, answer, sha256, file) VALUES "
        self._db.executemany(text + "(?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def audit(self) -> Iterator[dict[str, Any]]:
        """The audit sample, in order of time."""
        text = "SELECT request, place, at, version, digest, answer, sha256, file, label FROM audit ORDER BY at, request"
        return (dict(row) for row in self._db.execute(text).fetchall())

    def label(self, request: str, number: int, label: str, given: str) -> bool:
        """Take the label of an image of the audit sample; whether it is there, and had none or another one.

        One that has counted stays: who may correct it having seen the verdict decides the verdict.
        """
        text = (
            "UPDATE audit SET label = ?, given = ? WHERE request = ? AND place = ? AND NOT counted AND label IS NOT ?"
        )
        return self._db.execute(text, [label, given, request, number, label]).rowcount == 1

    def labelled(self, digest: str) -> list[sqlite3.Row]:
        """Audit images of that version whose labels have not counted yet, as they were answered; from now on they have.

        Those that come together are in the order of the answers: none is chosen by what the label is.
        """
        found = self._db.execute(
            "SELECT at, answer, label FROM audit WHERE digest = ? AND label IS NOT NULL AND NOT counted "
            "ORDER BY at, request, place",
            [digest],
        ).fetchall()
        self._db.execute("UPDATE audit SET counted = 1 WHERE digest = ? AND label IS NOT NULL", [digest])
        return found

    def drawn(self, digest: str) -> int:
        """Size of the version's audit sample so far."""
        (row,) = self._db.execute("SELECT COUNT(*) AS number FROM audit WHERE digest = ?", [digest])
        return int(row["number"])

    def compare(self, digest: str, reference: str) -> None:
        """Where the version was compared with another reference, all that is known of it counts anew, for this one."""
        others = self._db.execute("DELETE FROM watched WHERE digest = ? AND reference != ?", [digest, reference])
        if others.rowcount:
            self._db.execute("UPDATE files SET done = 0 WHERE digest = ?", [digest])
            self._db.execute("UPDATE audit SET counted = 0 WHERE digest = ?", [digest])
            self._db.execute("DELETE FROM heard WHERE digest = ?", [digest])

    def watched(self, digest: str, reference: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]] | None:
        """What is known of a version and its reference: figures, and arrays."""
        rows = self._db.execute("SELECT * FROM watched WHERE digest = ? AND reference = ?", [digest, reference])
        row = rows.fetchone()
        if row is None:
            return None
        with np.load(io.BytesIO(row["arrays"])) as arrays:
            return json.loads(row["told"]), {name: arrays[name] for name in arrays.files}

    def watch(self, digest: str, reference: str, told: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Remember it."""
        out = io.BytesIO()
        np.savez(out, allow_pickle=False, **dict(arrays))
        row = [digest, reference, json.dumps(told), out.getvalue()]
        self._db.execute("INSERT OR REPLACE INTO watched VALUES (?, ?, ?, ?)", row)

    def looked(self, outcome: Outcome) -> int:
        """Add a look to the time line; its number."""
        text = "INSERT INTO looks (at, digest, outcome) VALUES (?, ?, ?)"
        row = [outcome.at, outcome.digest, json.dumps(outcome.as_json())]
        return int(self._db.execute(text, row).lastrowid or 0)

    def looks(self, most: int) -> list[Outcome]:
        """The last ones, oldest first."""
        rows = self._db.execute("SELECT outcome FROM looks ORDER BY number DESC LIMIT ?", [most]).fetchall()
        return [Outcome.from_json(json.loads(row["outcome"])) for row in reversed(rows)]

    def forget(self, names: Iterable[str], day: str, interval: int) -> None:
        """Forget those files, which are there no longer, and what was before a day and an interval."""
        self._db.executemany("DELETE FROM files WHERE name = ?", [(name,) for name in names])
        self._db.execute("DELETE FROM heard WHERE interval < ?", [interval])
        self._db.execute("DELETE FROM audit WHERE label IS NULL AND at < ?", [day])
