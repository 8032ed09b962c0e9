"""The command line: `sightline report`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import pulse
from flows.cli.common import AsJson, enter, say, written
from sightline.errors import ConfigError, DataError
from sightline.words import counted

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths
    from sightline.report.index import Entry


def report(
    which: Annotated[
        str | None,
        typer.Argument(metavar="[VERSION|RUN]", help="Of a version, or a run by its name; by default the last one."),
    ] = None,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    serve: Annotated[
        bool, typer.Option("--serve", help="Show the pages at an address of this machine, until Ctrl-C.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of that address; 0 takes a free one.")] = 8765,
    as_json: AsJson = False,
) -> None:
    """Tell where the report of a run lies, beside an index of all; with --open or --serve show it."""
    paths = enter()
    from sightline.report.index import entries, write_index

    found = entries(paths)
    if not found:
        raise DataError("there is no report yet: `sightline run` writes one")
    one = _chosen(found, which)
    index = written(paths, lambda: write_index(paths))
    if as_json:
        rows = [
            {
                "version": row.version,
                "decision": row.decision,
                "now": row.now or None,
                "accuracy": row.accuracy,
                "at": row.at,
                "page": str(row.file),
            }
            for row in found
        ]
        typer.echo(json.dumps({"page": str(one.file), "index": index and str(index), "runs": rows}))
    else:
        say(f"version {one.version}, {one.words}, {one.when}: {one.file}")
        if index:
            say(f"index of {counted(len(found), 'page')}: {index}")
    if serve:
        _serve(paths, index if index and not which else one.file, port, shown=open_)
    elif open_:
        import webbrowser

        webbrowser.open(one.file.as_uri())


def _chosen(found: list[Entry], which: str | None) -> Entry:
    """The newest that fits."""
    if which is None:
        return found[0]
    for one in found:
        if which in {one.version, one.file.stem}:
            return one
    versions = ", ".join(sorted({one.version for one in found}, key=lambda number: (len(number), number)))
    raise DataError(
        f"{which}: no report is about such a version or run; there are versions {versions} (`sightline report`)"
    )


def _serve(paths: Paths, page: Path, port: int, *, shown: bool) -> None:
    import webbrowser

    from sightline.report.addresses import address
    from sightline.report.served import server

    try:
        listening = server(paths, port)
    except OSError as error:
        raise ConfigError(f"--port {port}: {error.strerror}; take another, or a free one by --port 0") from None
    place = address(paths, page, listening.server_address[1])
    typer.echo(f"{place}; Ctrl-C ends it", err=True)
    if shown:
        webbrowser.open(place)
    pulse.end()
    with listening:
        listening.serve_forever()
