"""The tables of Prefect's own server: its hundred migrations take seconds, a copy of what they made takes none.

What they made is kept for all projects of a user; `python -m flows.cli.prefect_tables` makes it where it is missing.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from sightline.files import replacing
from sightline.processes import end_with_the_parent, tied
from sightline.project import environment, machine_cache
from sightline.tracking import databases

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def tables_ready() -> Iterator[None]:
    """Make the tables beside the work inside the block, so that the first run of a user need not wait for them.

    Nothing is made where they lie there, where nothing can be kept, or where another server is named. Where making them
    fails the first run tries again, and says why.
    """
    kept = _kept()
    if kept is None or kept.is_file() or "PREFECT_API_URL" in os.environ:
        yield
        return
    command = [sys.executable, "-P", "-m", __name__]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **tied(os.environ))
    try:
        yield
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()


def make_database(place: Path) -> None:
    """Prefect's tables in a database at `place`, where there is none."""
    with FileLock(place.with_name(f"{place.name}.lock")):
        if place.exists():
            return
        template = _kept() or place.with_name("tables.db")
        _make_template(template)
        with replacing(place) as scratch:
            shutil.copyfile(template, scratch)


def _kept() -> Path | None:
    """Where the tables of this Prefect are kept for all projects of a user."""
    folder = machine_cache()
    return folder and folder / f"prefect-{version('prefect')}.db"


def _make_template(template: Path) -> None:
    with FileLock(template.with_name(f"{template.name}.lock")):
        if not template.is_file() or databases.damage(template, databases.PREFECT):
            with replacing(template) as scratch:
                _migrate(template.with_name("draft.db"), scratch)


def _migrate(draft: Path, made: Path) -> None:
    """Have Prefect make its tables in the file `draft`, and compact it into `made`: killed half-way it is made anew."""
    from prefect.server.database import provide_database_interface

    for left in draft.parent.glob(f"{draft.name}*"):
        left.unlink()
    interface = provide_database_interface()
    config = interface.database_config
    usual, config.connection_url = config.connection_url, f"sqlite+aiosqlite:///{draft}"
    try:
        asyncio.run(interface.create_db())
    finally:
        config.connection_url = usual
    with closing(sqlite3.connect(draft)) as database:
        database.execute("VACUUM INTO ?", [str(made)])
    for left in draft.parent.glob(f"{draft.name}*"):
        left.unlink()


def _main() -> None:
    end_with_the_parent()
    kept = _kept()
    # Prefect makes itself at home when it is imported: not in the home of the user.
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(environment(Path(home)))
        if kept:
            _make_template(kept)


if __name__ == "__main__":
    _main()
