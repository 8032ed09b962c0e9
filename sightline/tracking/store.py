"""The database of the project's own MLflow store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.tracking import tables
from sightline.tracking.databases import SCHEME

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths

TABLE = "experiments"
"""One that MLflow's database has."""


def make(paths: Paths) -> None:
    """A new database, where there is none: there whole or not at all; for one process at a time.

    SQLite commits each of the hundred changes that lead to MLflow's tables: a process killed among them would leave a
    store that no other one could finish.
    """
    place = paths.mlflow / "mlflow.db"
    if not place.exists():
        tables.make(place, "mlflow", TABLE, _migrate)


def _migrate(file: Path) -> None:
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine

    engine = create_sqlalchemy_engine(f"{SCHEME}{file}")  # type: ignore[no-untyped-call]
    try:
        _initialize_tables(engine)  # type: ignore[no-untyped-call]
    finally:
        engine.dispose()
