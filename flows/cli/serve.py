"""The command line: `sightline serve`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from flows.cli.common import enter

TOKEN = "SIGHTLINE_TOKEN"  # noqa: S105 — the name of a variable
Host = Annotated[str, typer.Option(help="Address to listen on; other machines reach 0.0.0.0.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")]
GRACE = 10
"""Seconds for requests under way when the server is told to end."""


def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    version: Annotated[
        str | None, typer.Option(help="A version that answers for good; by default the champion, whoever it is.")
    ] = None,
) -> None:
    """Answer over HTTP: POST /predict takes images, / is a page to try it.

    A promotion or rollback is taken up at once. SIGHTLINE_TOKEN names the bearer token that callers must bring.
    """
    paths = enter()
    import uvicorn

    from sightline.digests import tree_digest
    from sightline.registry.served import named, served
    from sightline.serve.app import LOOPBACK, application
    from sightline.serve.follow import Follower

    def load() -> tuple[str, str, os.PathLike[str]]:
        found = served(paths, version)
        return found.version, tree_digest(found.bundle), found.bundle

    follower = Follower(lambda: version or named(paths), load)  # type: ignore[arg-type]
    own = host in {"127.0.0.1", "localhost", "::1"}
    app = application(
        follower, os.cpu_count() or 1, token=os.environ.get(TOKEN) or None, hosts=LOOPBACK if own else ("*",)
    )
    typer.echo(f"version {follower.version.number} answers at http://{host}:{port}", err=True)
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE)
