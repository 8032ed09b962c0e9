"""Prefect's own server, started while the libraries are imported, and ended with the command."""

from __future__ import annotations

import atexit
import os
import re
import socket
import subprocess
import sys
import tomllib
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import typer

from flows.cli.prefect_runs import enrol, settle
from sightline import servers
from sightline.errors import ConfigError
from sightline.tracking import databases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.project import Paths

ADDRESS = "PREFECT_API_URL"
SAID = ".prefect/server.log"
ERROR = re.compile(r"[\w.]+(Error|Exception): ")
"""Line that ends a traceback."""
ENDING = 10
"""Seconds that the server has to write down what it was told, and to say why it ends."""


@contextmanager
def prefect_ready(paths: Paths) -> Iterator[None]:
    """Start a Prefect server beside the work inside the block; at its end the server answers, and killed runs ended.

    It is for this command alone and ends with this process, however that ends; where `PREFECT_API_URL` names a server
    there is nothing to start. Raises ConfigError where it does not come up.
    """
    if ADDRESS in os.environ or _names_a_server(paths.root):
        check_given(paths.root)
        yield
        return
    _set_aside()
    started = start(paths.root)
    answered = Event()
    thread = Thread(target=_ask, args=[os.environ[ADDRESS], answered], daemon=True)
    thread.start()
    yield
    while thread.is_alive() and started.poll() is None:
        thread.join(0.1)
    if answered.is_set():
        settle(paths.root)
    else:
        # The connection ends before the process does.
        with suppress(subprocess.TimeoutExpired):
            started.wait(ENDING)
        why = _why(paths.root / SAID)
        raise ConfigError(f"Prefect's server for this command did not start: {why} (all of it: {SAID})")


def check_given(root: Path) -> None:
    """Raise ConfigError where the Prefect server that the user names does not answer as one."""
    address = os.environ.get(ADDRESS) or _settings(root).get("api", {}).get("url")
    if address and (trouble := servers.trouble(str(address), servers.PREFECT)):
        raise ConfigError(trouble)


def _why(said: Path) -> str:
    """The error in what the server said, else its last line."""
    lines = [line for line in said.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if ERROR.match(line)]
    return (errors or lines or ["it said nothing"])[-1].strip()


def _names_a_server(root: Path) -> bool:
    """Whether Prefect's settings of the project do: then Prefect decides, as it always does."""
    return "url" in _settings(root).get("api", {}) or (root / ".prefect" / "profiles.toml").exists()


def _settings(root: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((root / "prefect.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def start(root: Path) -> subprocess.Popen[bytes]:
    """A server of the project on a free port of this machine's own address, named in PREFECT_API_URL from now on."""
    with socket.socket() as listener, (root / SAID).open("wb") as said:
        listener.bind(("127.0.0.1", 0))
        # It listens before anybody answers: a client that comes early waits, and need not ask again.
        listener.listen(128)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "flows.cli.prefect_process", str(listener.fileno())],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            pass_fds=[listener.fileno()],
        )
        os.environ[ADDRESS] = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
    enrol(root)
    atexit.register(_end, process)  # before what `enrol` has left to do
    return process


def _end(process: subprocess.Popen[bytes]) -> None:
    """Let the server finish: its standard input ends, as it does when this process is killed."""
    assert process.stdin is not None  # noqa: S101 — it is a pipe
    process.stdin.close()
    try:
        process.wait(ENDING)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _set_aside() -> None:
    """Move a damaged database of Prefect's own server out of the way: only its pages need what it holds."""
    place = Path(os.environ.get("PREFECT_HOME", "")) / "prefect.db"
    if not place.is_file():
        return
    if trouble := databases.lasting(place, databases.PREFECT):
        kept = databases.set_aside(place)
        typer.echo(f"Prefect's database was damaged ({trouble}): it is now {kept}, and its pages begin anew", err=True)


def _ask(address: str, answered: Event) -> None:
    """Wait until the server answers, and tell so.

    Not by Prefect's client: its imports would meet those of the block half-way.
    """
    url = urlsplit(address)
    with suppress(OSError, HTTPException), closing(HTTPConnection(str(url.hostname), url.port)) as connection:
        connection.request("GET", f"{url.path}/health")
        connection.getresponse()
        answered.set()
