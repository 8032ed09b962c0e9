"""The process of a Prefect server that lives as long as the command that started it.

`python -m flows.cli.prefect_process FD` answers on a socket that listens already, until its standard input ends.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from flows.cli.prefect_tables import make_database
from sightline.processes import ignore_signals

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
        make_database(Path(str(database.database)).absolute())
    app = create_app(ephemeral=True, final=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on", timeout_keep_alive=KEPT))
    # The command answers Ctrl-C and SIGTERM, and tells this server how its run ended.
    server.capture_signals = nullcontext  # type: ignore[assignment, method-assign]
    servers.append(server)
    server.run(sockets=[listener])
    sys.stderr.flush()
    # The server is down and the database closed; taking the libraries apart would cost another second.
    os._exit(0 if server.started else 1)


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
