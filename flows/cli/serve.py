"""The command line: `sightline serve` and `score`."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.common import AsJson, enter

if TYPE_CHECKING:
    from sightline.project import Paths
    from sightline.serve.batcher import Version

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

    from sightline.registry.served import named
    from sightline.serve.app import LOOPBACK, application
    from sightline.serve.follow import Follower

    follower = Follower(lambda: version or named(paths), lambda: _loaded(paths, version))
    own = host in {"127.0.0.1", "localhost", "::1"}
    app = application(
        follower, os.cpu_count() or 1, token=os.environ.get(TOKEN) or None, hosts=LOOPBACK if own else ("*",)
    )
    typer.echo(f"version {follower.version.number} answers at http://{host}:{port}", err=True)
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE)


def score(
    images: Annotated[Path, typer.Argument(metavar="FOLDER|TABLE|TAR", help="Images; a table has a column path.")],
    out: Annotated[Path, typer.Option(metavar="PARQUET", help="File for the answers, a row for each image.")],
    version: Annotated[str | None, typer.Option(help="A version of the classifier; by default the champion.")] = None,
    as_json: AsJson = False,
) -> None:
    """Answer many images at once. A job that was killed goes on; unreadable images are rows with their reason."""
    # Relative to where the command was given, not to the project.
    images, out = images.absolute(), out.absolute()
    paths = enter()
    from flows.cli.console import counted_progress
    from sightline.serve.images import sources
    from sightline.serve.score import score as answer

    asked = sources(images)
    answering = _loaded(paths, version)
    with counted_progress("images", len(asked)) as step:
        done = answer(asked, answering, out, os.cpu_count() or 1, step)
    if as_json:
        typer.echo(json.dumps(asdict(done)))
        return
    typer.echo(
        f"{done.images:,} images answered by version {done.version} into {done.path}; "
        f"{done.unreadable:,} cannot be read, a person had better look at {done.abstained:,}"
    )


def _loaded(paths: Paths, version: str | None) -> Version:
    from sightline.digests import tree_digest
    from sightline.models.predictor import Predictor
    from sightline.registry.served import served
    from sightline.serve.batcher import Version

    found = served(paths, version)
    return Version(found.version, tree_digest(found.bundle), Predictor.load(found.bundle))
