"""The command line: `sightline serve` and `score`."""

from __future__ import annotations

import errno
import json
import signal
import socket
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from flows.cli import pulse
from flows.cli.common import SIGNALLED, AsJson, enter, say
from sightline.errors import ConfigError

if TYPE_CHECKING:
    from types import FrameType

    from sightline.project import Paths
    from sightline.serve.challenger import Challenger

Host = Annotated[str, typer.Option(help="Address to listen on; other machines reach 0.0.0.0.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")]
BACKLOG = 2048
"""Connections that may wait, as by default of uvicorn."""
GRACE = 10
"""Seconds for requests under way when the server is told to end."""


def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    version: Annotated[
        str | None, typer.Option(help="A version that answers for good; by default the champion, whoever it is.")
    ] = None,
    shadow: Annotated[
        str | None,
        typer.Option(
            metavar="challenger|VERSION",
            help="A version that answers the same images unheard, when there is time: the newest challenger, or one by "
            "number. /metrics tells how often it agrees.",
        ),
    ] = None,
    canary: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=0.5, metavar="SHARE", help="Share of the requests that the challenger answers, such as 0.05."
        ),
    ] = None,
    ray_config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a Ray Serve config of the same application, and start nothing."),
    ] = None,
) -> None:
    """Answer over HTTP: POST /predict takes images, / is a page to try it.

    A promotion or rollback is taken up at once; what is answered is recorded as `capture` in params.yaml says.
    SIGHTLINE_TOKEN names the bearer token that callers must bring. Shadow and canary end once the gate has promoted or
    refused their version.
    """
    ray_config = ray_config.absolute() if ray_config else None
    if ray_config is not None and (shadow is not None or canary):
        raise ConfigError("--ray-config: its replicas know no --shadow and no --canary; leave them out")
    paths = enter()
    from sightline.registry.served import served

    if ray_config is not None:
        served(paths, version)
        _write_ray_config(paths, version, host, port, ray_config)
        return
    listener = _listening(host, port)
    served(paths, version)
    _answer(paths, version, host, listener, _challenger(paths, shadow, canary))


def _answer(
    paths: Paths, version: str | None, host: str, listener: socket.socket, challenger: Challenger | None
) -> None:
    """Answer at the address of `listener` until the command is told to end."""
    import uvicorn

    from flows.serving import LOCAL, TOKEN, assembled, hosts, required_token
    from sightline.serve.app import finish
    from sightline.serve.protocol import Guarded

    token = required_token()
    app = assembled(paths, version, token, hosts(host), challenger)
    config = uvicorn.Config(
        app,
        http=Guarded,
        ws="none",
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE,
    )
    address = f"[{host}]" if ":" in host else host
    typer.echo(f"version {app.version} answers at http://{address}:{listener.getsockname()[1]}", err=True)
    if challenger is not None:
        typer.echo(f"version {challenger.version.number} answers beside it: {challenger.task.words}", err=True)
    if host not in LOCAL and token is None:
        typer.echo(f"whoever reaches {host} may ask: set {TOKEN} to let in only those who know it", err=True)
    pulse.end()
    # uvicorn hands the signal on once it is through.
    signal.signal(signal.SIGTERM, _ended)
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        # Told twice to end, the server leaves out the application's own end.
        finish(app)


def _ended(number: int, _frame: FrameType | None) -> NoReturn:
    print(f"{signal.Signals(number).name}: the server has ended", file=sys.stderr)
    raise SystemExit(SIGNALLED + number)


def _listening(host: str, port: int) -> socket.socket:
    """A socket at that address; raises ConfigError where there cannot be one."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} of {host} is in use: take another by --port, or a free one by --port 0"
            ) from None
        raise ConfigError(
            f"--host {host} --port {port}: cannot listen there: {error.strerror or error}; --host takes an address or "
            "name of this machine, such as 127.0.0.1, or 0.0.0.0 for all, --port the number"
        ) from None
    # From now on a second server is told, and who comes early waits.
    listener.listen(BACKLOG)
    return listener


def _write_ray_config(paths: Paths, version: str | None, host: str, port: int, file: Path) -> None:
    from ruamel.yaml import YAML

    from flows.serving import ray_config
    from sightline.files import replacing

    with replacing(file) as scratch, scratch.open("w", encoding="utf-8") as out:
        YAML().dump(ray_config(paths, version, host, port), out)
    typer.echo(f"{file} is written: `serve run {file}` starts its replicas (pip install 'sightline[ray]')", err=True)


def _challenger(paths: Paths, shadow: str | None, canary: float | None) -> Challenger | None:
    if shadow is None and not canary:
        return None
    from sightline.registry.challengers import NEWEST, challenger, over

    found = challenger(paths, shadow or NEWEST, canary=bool(canary))
    from flows.serving import quicker
    from sightline.serve.challenger import Challenger, Task

    version = quicker(paths, found)
    task = Task(shadow=shadow is not None, canary=canary or 0.0)
    return Challenger(version, task, lambda: over(paths, version.number))


def score(
    images: Annotated[str, typer.Argument(metavar="FOLDER|TABLE|TAR", help="Images; a table has a column path.")],
    out: Annotated[str, typer.Option(metavar="PARQUET", help="File for the answers, a row for each image.")],
    version: Annotated[str | None, typer.Option(help="A version of the classifier; by default the champion.")] = None,
    as_json: AsJson = False,
) -> None:
    """Answer many images at once. A job that was killed goes on; unreadable images are rows with their reason."""
    here = Path.cwd()
    paths = enter()
    from sightline.registry.served import answering, served
    from sightline.serve.score import MANY, job
    from sightline.serve.score import score as answer

    # Relative to where the command was given, not to the project.
    asked, place = job(images, out, here)
    served(paths, version)
    from flows.cli.console import counted_progress

    with counted_progress("images", len(asked)) as step:
        done = answer(asked, answering(paths, version, quick=len(asked) >= MANY), place, step)
    if as_json:
        typer.echo(json.dumps(asdict(done)))
        return
    say(done.sentence)
