"""The command line: where a version came from, what an image touched, and whether a version can be made again."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.common import AsJson, enter, say, written
from sightline.errors import ConfigError

app = typer.Typer()


@app.command()
def lineage(
    model: Annotated[
        str, typer.Argument(metavar="[MODEL][@ALIAS|/VERSION]", help="A registered version; by default the champion.")
    ] = "@champion",
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the page goes; by default below `reports/`.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show where a version came from: weights, run, plan, backbone, data, code, decision. Writes a page with a graph.

    No server of Prefect has to be up. What is not known is told at the end, and in `missing` of the JSON.
    """
    from sightline.lineage.trace import trace
    from sightline.report.lineage import write_lineage

    # Where the page goes is said from where the user stands; the project may lie above.
    html = html.absolute() if html else None
    if html and (html.is_dir() or not html.parent.is_dir()):
        raise ConfigError(f"--html {html} cannot be written: name a file in a folder that is there, such as page.html")
    paths = enter()
    _be_brief()
    found = trace(paths, model)
    page = write_lineage(paths, found, html) if html else written(paths, lambda: write_lineage(paths, found))
    if as_json:
        typer.echo(json.dumps(found))
        return
    from flows.cli.show import show_lineage

    show_lineage(found)
    if page:
        say(f"page: {page}")


@app.command()
def impact(
    image: Annotated[str, typer.Argument(metavar="IMAGE-OR-DIGEST", help="An image file, or the start of a SHA-256.")],
    as_json: AsJson = False,
) -> None:
    """List every version of the data, every model and every promotion that an image touched, and its part in each.

    The image is known by its content, wherever the file lies and whatever its name. Also an image that is no longer
    there is found: by the digest, or by the path that it had below `data/raw/target` or `data/raw/source`.
    """
    from sightline.lineage.impact import find_impact, given

    wanted = given(image)
    paths = enter()
    _be_brief()
    found = find_impact(paths, wanted)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
        return
    from flows.cli.show import show_impact

    show_impact(found)


@app.command()
def reproduce(
    version: Annotated[str, typer.Argument(help="Version of the classifier in the registry.")],
    as_json: AsJson = False,
) -> None:
    """Train a version again in a temporary folder from its commit and its data, and compare the weights.

    On the same machine the weights are the same bit by bit; elsewhere the accuracy agrees. Nothing of the project is
    changed; the verdict is recorded on the version. Exit status 1 where the version is not reproduced.
    """
    paths = enter()
    from sightline.tracking.runs import check_version

    check_version(paths, version)
    from sightline.lineage.reproduce import DIFFERS
    from sightline.lineage.reproduce import reproduce as again

    found = again(paths, version, lambda line: say(line, err=True))
    typer.echo(json.dumps(asdict(found)) if as_json else f"version {version}: {found.verdict}: {found.sentence}")
    if found.verdict == DIFFERS:
        raise typer.Exit(1)


def _be_brief() -> None:
    """A tracking server that is gone is told within seconds, not after minutes of trying again."""
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
