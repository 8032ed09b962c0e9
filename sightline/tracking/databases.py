"""SQLite files: whether one is whole, asked before anything is built on it."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from sightline.errors import RegistryError

WAIT = 60
"""Seconds that a process waits for another one to finish writing."""
TRIES = 25
EMPTY, OTHER = "it is empty", "it holds something else"
SCHEME = "sqlite:///"
PREFECT = "flow_run"
"""A table that Prefect's database has."""
_seen: dict[Path, tuple[int, int]] = {}
"""Size and time of change of the files that were found whole by this process."""


def check(uri: str, what: str, table: str | None = None) -> None:
    """Raise RegistryError where the SQLite file at `uri` is damaged, or another database.

    `what` says in words what it is, `table` is one that it has where it is whole.
    Other databases, and a file that is not there yet, are left to whoever opens them.
    """
    path = Path(uri.removeprefix(SCHEME).partition("?")[0])
    if not uri.startswith(SCHEME) or not path.is_file():
        return
    known = path.stat()
    stamp = known.st_size, known.st_mtime_ns
    if _seen.get(path) == stamp:
        return
    if trouble := lasting(path, table):
        saved = f"; without one, `sqlite3 {path.name} .recover | sqlite3 new.db` saves what can be read"
        raise RegistryError(
            f"{what} at {path} is damaged ({trouble}). Nothing was done. Put a copy of it back"
            f"{'' if trouble == OTHER else saved}"
        )
    _seen[path] = stamp


def lasting(path: Path, table: str | None = None) -> str | None:
    """As `damage`, once another process that may be about to make its tables had the time to."""
    trouble = damage(path, table)
    for _ in range(TRIES):
        if trouble not in {EMPTY, OTHER}:
            break
        time.sleep(0.2)
        trouble = damage(path, table)
    return trouble


def set_aside(path: Path) -> Path:
    """Move a database out of the way, where nothing is lost with it; where it is now."""
    kept = path.with_name(f"{path.name}.damaged-{path.stat().st_mtime_ns}")
    path.replace(kept)
    for more in ("-wal", "-shm"):
        path.with_name(path.name + more).unlink(missing_ok=True)
    return kept


def damage(path: Path, table: str | None = None) -> str | None:
    """What is wrong with a SQLite file, in a line; None where it is whole, and has the `table` if one is named."""
    try:
        with closing(sqlite3.connect(path, timeout=WAIT)) as store:
            (found,) = store.execute("PRAGMA integrity_check(1)").fetchone()
            tables = {name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            if not tables:
                # A file that was cut to nothing is a database to SQLite; one that we or MLflow made has tables.
                return EMPTY
            if table is not None and table not in tables:
                return OTHER
    except sqlite3.OperationalError as error:
        # Locked, or a folder without the right to write: whoever opens it says so better.
        return str(error) if "malformed" in str(error) else None
    except sqlite3.DatabaseError as error:
        return str(error)
    return None if found == "ok" else " ".join(str(found).split())[:200]
