"""The command line: `sightline clean`."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer

from flows.cli.common import AsJson, enter, say

DAYS = 30.0


def clean(
    days: Annotated[
        float, typer.Option(min=0, help="What was used last so many days before the latest result counts as unused.")
    ] = DAYS,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; without this it is listed alone.")] = False,
    as_json: AsJson = False,
) -> None:
    """List, and with --yes remove, what training left behind and nothing uses any more. Images, versions, reports stay.

    Each can be made anew; what the champion, the one before and versions that wait for a person are made of is kept.
    """
    paths = enter()
    from sightline import turns
    from sightline.verify.unused import remove, unused

    with turns.turn(paths.root, "sightline clean", partial(say, err=True)):
        found = unused(paths, days)
        if yes:
            remove(paths, found)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found]))
        return
    if not found:
        say("everything that training left behind was used lately, or is a part of a version that counts")
        return
    from rich.filesize import decimal

    from flows.cli.show import show_unused

    show_unused(found)
    total = decimal(sum(one.bytes for one in found))
    asked = "" if days == DAYS else f" --days {days:.15g}"
    say(f"{total} removed" if yes else f"{total} can go: `sightline clean{asked} --yes` removes them")
