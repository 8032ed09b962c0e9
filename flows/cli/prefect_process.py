"""The process of a Prefect server that lives as long as the command that started it.

`python -m flows.cli.prefect_process FD` answers on a socket that listens already, until its standard input ends.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sqlite3
import sys
import time
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from filelock import FileLock

from sightline.files import replacing
from sightline.project import machine_cache

if TYPE_CHECKING:
    from uvicorn import Server

ENDING = 8
"""Seconds for what is under way when the command has ended."""


def main() -> None:
    """Answer until the command ends."""
    listener = socket.socket(fileno=int(sys.argv[1]))
    os.environ["PREFECT_UI_ENABLED"] = "false"
    import uvicorn
    from prefect.server.api.server import create_app
    from prefect.settings import PREFECT_SERVER_DATABASE_CONNECTION_URL
    from sqlalchemy import make_url

    database = make_url(PREFECT_SERVER_DATABASE_CONNECTION_URL.value())
    if database.get_backend_name() == "sqlite" and database.database not in {None, ":memory:"}:
        _make_database(Path(str(database.database)).absolute())
    app = create_app(ephemeral=True, final=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
    Thread(target=_end_with_the_command, args=[server], daemon=True).start()
    server.run(sockets=[listener])
    sys.stderr.flush()
    # The server is down and the database closed; taking the libraries apart would cost another second.
    os._exit(0 if server.started else 1)


def _make_database(place: Path) -> None:
    """Prefect's tables in a new database: its hundred migrations take seconds, a copy of what they made takes none."""
    from prefect.server.database import provide_database_interface

    cache = machine_cache()
    with FileLock(place.with_name(f"{place.name}.lock")):
        if place.exists():
            return
        template = cache / f"prefect-{version('prefect')}.db" if cache else None
        if template is not None and template.is_file():
            with replacing(place) as scratch:
                shutil.copyfile(template, scratch)
            return
        asyncio.run(provide_database_interface().create_db())
        if template is not None:
            with replacing(template) as scratch, closing(sqlite3.connect(place)) as database:
                database.execute("VACUUM INTO ?", [str(scratch)])


def _end_with_the_command(server: Server) -> None:
    # Not sys.stdin: a thread that waits there keeps the interpreter from ending.
    while os.read(0, 1):
        pass
    server.should_exit = True
    time.sleep(ENDING)
    os._exit(1)


if __name__ == "__main__":
    main()
