"""The tables of Prefect's own server, as `sightline.tracking.tables` keeps them.

`python -m flows.cli.prefect_tables` makes them where they are missing.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from sightline.processes import end_with_the_parent, tied
from sightline.project import environment
from sightline.tracking import databases, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

LIBRARY = "prefect"


@contextmanager
def tables_ready() -> Iterator[None]:
    """Make the tables beside the work inside the block, so that the first run of a user need not wait for them.

    Nothing is made where they lie there, where nothing can be kept, or where another server is named. Where making them
    fails the first run tries again, and says why.
    """
    kept = tables.kept(LIBRARY)
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
        if not place.exists():
            tables.make(place, LIBRARY, databases.PREFECT, _migrate)


def _migrate(file: Path) -> None:
    from prefect.server.database import provide_database_interface

    interface = provide_database_interface()
    config = interface.database_config
    usual, config.connection_url = config.connection_url, f"sqlite+aiosqlite:///{file}"
    try:
        asyncio.run(interface.create_db())
    finally:
        config.connection_url = usual


def _main() -> None:
    end_with_the_parent()
    kept = tables.kept(LIBRARY)
    # Prefect makes itself at home when it is imported: not in the home of the user.
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(environment(Path(home)))
        if kept:
            tables.keep(kept, databases.PREFECT, _migrate)


if __name__ == "__main__":
    _main()
