"""The tables of a library in an SQLite database: its hundred migrations take seconds, a copy of what they made none.

What they made is kept for all projects of a user, by the library's version.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from importlib.metadata import version
from typing import TYPE_CHECKING

from filelock import FileLock

from sightline.files import replacing
from sightline.project import machine_cache
from sightline.tracking import databases

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def kept(library: str) -> Path | None:
    """Where the tables of this version of the library are kept; None where nothing can be."""
    folder = machine_cache()
    return folder and folder / f"{library}-{version(library)}.db"


def make(place: Path, library: str, table: str, migrate: Callable[[Path], None]) -> None:
    """A new database at `place` with the tables that `migrate` makes in a file of its own, `table` among them.

    It is there whole or not at all; for one process at a time.
    """
    template = kept(library)
    with replacing(place) as scratch:
        if template is None:
            _migrated(migrate, place.with_name(f"{library}-draft.db"), scratch)
        else:
            keep(template, table, migrate)
            shutil.copyfile(template, scratch)


def keep(template: Path, table: str, migrate: Callable[[Path], None]) -> None:
    """Make the file of tables that are kept, where it is not there or damaged."""
    with FileLock(template.with_name(f"{template.name}.lock")):
        if not template.is_file() or databases.damage(template, table):
            with replacing(template) as scratch:
                _migrated(migrate, template.with_name(f"{template.stem}-draft.db"), scratch)


def _migrated(migrate: Callable[[Path], None], draft: Path, made: Path) -> None:
    """Make the tables in the file `draft`, and compact it into `made`: killed half-way it is made anew."""
    _remove(draft)
    migrate(draft)
    with closing(sqlite3.connect(draft)) as database:
        database.execute("VACUUM INTO ?", [str(made)])
    _remove(draft)


def _remove(draft: Path) -> None:
    # What SQLite writes beside it, too.
    for left in draft.parent.glob(f"{draft.name}*"):
        left.unlink()
