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
from contextlib import closing, nullcontext
from importlib.metadata import version
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from filelock import FileLock

from sightline.files import replacing
from sightline.processes import ignore_signals
from sightline.project import machine_cache

if TYPE_CHECKING:
    from uvicorn import Server

ENDING = 8
"""Seconds for what is under way when the command has ended."""
KEPT = 60
"""Seconds that an idle connection stays open. Prefect's clients use theirs again for 25; where it is closed by then
they find out by failing, and wait two seconds before they ask again."""


def main() -> None:
    """Answer until the command ends."""
    ignore_signals()
    servers: list[Server] = []
    Thread(target=_end_with_the_command, args=[servers], daemon=True).start()
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
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on", timeout_keep_alive=KEPT))
    # The command answers Ctrl-C and SIGTERM, and tells this server how its run ended.
    server.capture_signals = nullcontext  # type: ignore[assignment, method-assign]
    servers.append(server)
    server.run(sockets=[listener])
    sys.stderr.flush()
    # The server is down and the database closed; taking the libraries apart would cost another second.
    os._exit(0 if server.started else 1)


def _make_database(place: Path) -> None:
    """Prefect's tables in a new database: its hundred migrations take seconds, a copy of what they made takes none."""
    with FileLock(place.with_name(f"{place.name}.lock")):
        if place.exists():
            return
        template = (machine_cache() or place.parent) / f"prefect-{version('prefect')}.db"
        if not template.is_file():
            with replacing(template) as scratch:
                _migrate(place.with_name("draft.db"), scratch)
        with replacing(place) as scratch:
            shutil.copyfile(template, scratch)


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


def _end_with_the_command(servers: list[Server]) -> None:
    # Not sys.stdin: a thread that waits there keeps the interpreter from ending.
    while os.read(0, 1):
        pass
    for server in servers:
        server.should_exit = True
        time.sleep(ENDING)
    os._exit(1)


if __name__ == "__main__":
    main()
