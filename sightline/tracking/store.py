"""The database of the project's own MLflow store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.files import replacing

if TYPE_CHECKING:
    from sightline.project import Paths


def make(paths: Paths) -> None:
    """A new database, where there is none: there whole or not at all; for one process at a time.

    SQLite commits each of the hundred changes that lead to MLflow's tables: a process killed among them would leave a
    store that no other one could finish.
    """
    from mlflow.store.db.utils import _initialize_tables, create_sqlalchemy_engine

    place = paths.mlflow / "mlflow.db"
    if place.exists():
        return
    with replacing(place) as scratch:
        engine = create_sqlalchemy_engine(f"sqlite:///{scratch}")  # type: ignore[no-untyped-call]
        try:
            _initialize_tables(engine)  # type: ignore[no-untyped-call]
        finally:
            engine.dispose()
