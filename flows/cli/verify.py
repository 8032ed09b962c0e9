"""The command line: `sightline verify`."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer

from flows.cli.common import AsJson, enter, say


def verify(
    fix: Annotated[
        bool, typer.Option("--fix", help="Make whole what can be: from DVC's store, a copy in the project, or anew.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Read everything that is stored and compare it with its digests. Exit status 1 where something stays damaged."""
    paths = enter()
    from sightline.turns import turn
    from sightline.verify import DAMAGED, everything

    # A run takes folders away that it makes anew.
    with turn(paths.root, "sightline verify", partial(say, err=True)):
        found = everything(paths, fix=fix)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found]))
    else:
        from flows.cli.show import show_found

        show_found(found)
    if any(one.state == DAMAGED for one in found):
        raise typer.Exit(1)
