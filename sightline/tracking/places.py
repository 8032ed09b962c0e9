"""Where the files of the project's own MLflow store lie: it holds whole addresses, and a project may move."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sightline.errors import RegistryError

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths

WAIT = 60
"""Seconds that a process waits for another one to finish writing."""
ADDRESSES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Tables and columns of MLflow's that lead to files."""
SHARED = {"postgresql", "mysql", "mssql"}
"""Databases of several machines that MLflow's client writes to by itself."""


def location(paths: Paths) -> str:
    """Where the project's own store keeps files, as MLflow writes it down."""
    return (paths.mlflow / "artifacts").as_uri()


def follow(paths: Paths) -> tuple[str, ...]:
    """Make a store that came here with its project lead to the files that came with it, all at once or not at all.

    Where it led before; empty where there is nothing to change. No file is read or moved, and where the project was
    before nothing is touched. Raises RegistryError where the store cannot be changed.
    """
    store = paths.mlflow / "mlflow.db"
    try:
        if not _elsewhere(store, location(paths)):
            return ()
        with closing(sqlite3.connect(store, timeout=WAIT, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            # Another process may have been first.
            before = _old(connection, location(paths))
            for old in before:
                for table, column in ADDRESSES:
                    connection.execute(
                        f"UPDATE {table} SET {column} = ? || substr({column}, ?)"  # noqa: S608 — our own names
                        f" WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                        [location(paths), len(old) + 1, old, len(old) + 1, f"{old}/"],
                    )
            connection.execute("COMMIT")
    except sqlite3.Error as error:
        raise RegistryError(
            f"{store} came here with its project and still leads to the files of where that was, and it cannot be "
            f"changed ({error}): make it writable, and try again"
        ) from error
    return before


def check_shared(uri: str, kept: str | None) -> None:
    """Raise RegistryError where a store is a database alone, and each machine would keep the files for itself.

    kept: where the project's experiment keeps its files; None where there is none yet.
    """
    own = urlsplit(kept or "").scheme in {"", "file"}
    if own and urlsplit(uri).scheme.partition("+")[0] in SHARED:
        raise RegistryError(
            f"MLFLOW_TRACKING_URI names a database, {uri}: others would find in it what their machines have no files "
            "of. Start `mlflow server --backend-store-uri DATABASE --artifacts-destination STORE` and name its http "
            "address (docs/team.md), or create the experiment first, with --artifact-location s3://…"
        )


def holds(paths: Paths, experiment: str) -> bool:
    """Whether the project's own store has an experiment of that name; what is no store of MLflow's has none."""
    store = paths.mlflow / "mlflow.db"
    try:
        with closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", timeout=WAIT, uri=True)) as connection:
            return bool(connection.execute("SELECT 1 FROM experiments WHERE name = ?", [experiment]).fetchall())
    except sqlite3.Error:
        return False


def _elsewhere(store: Path, here: str) -> bool:
    """Whether a store leads to files of another project folder; what is no store of MLflow's does not."""
    try:
        with closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", timeout=WAIT, uri=True)) as connection:
            return bool(_old(connection, here))
    except sqlite3.Error as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise
        return False


def _old(connection: sqlite3.Connection, here: str) -> tuple[str, ...]:
    """The places of other project folders to which experiments lead; what a person put elsewhere stays."""
    query = "SELECT DISTINCT artifact_location FROM experiments WHERE artifact_location LIKE 'file:%/mlflow/artifacts'"
    return tuple(sorted(found for (found,) in connection.execute(query) if found != here))
