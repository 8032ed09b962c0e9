"""The command line: `sightline capture`, the answers that were recorded."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from flows.cli.common import AsJson, enter, say
from sightline.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.params import Capture
    from sightline.serve.history import Day

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Answers that `sightline serve` recorded, as `capture` in params.yaml says.",
)


@app.command()
def log(as_json: AsJson = False) -> None:
    """Say for each day and version how much was recorded, and dropped, and which days are older than may be kept.

    Exit status 1 where a file cannot be read.
    """
    paths = enter()
    from sightline.serve.history import days, look
    from sightline.serve.store import Store

    policy = paths.params.capture
    store = Store(paths.root, policy.folder)
    found, damaged = days(look(store))
    old = [str(day) for day in store.older(policy.days)]
    if as_json:
        typer.echo(json.dumps({"days": [asdict(one) for one in found], "damaged": damaged, "old": old}))
    else:
        if found:
            _show(found)
        elif not damaged:
            say(_nothing(policy))
        for name, why in damaged.items():
            say(f"{name} cannot be read, and counts nowhere: {why}", err=True)
        if old:
            say(
                f"older than capture.days = {policy.days}: {counted(len(old), 'day')}, from {old[0]} on, which the "
                "next `sightline serve` removes"
            )
    if damaged:
        raise typer.Exit(1)


def _nothing(policy: Capture) -> str:
    if policy.keep == "none":
        return "nothing was recorded: capture.keep is none in params.yaml"
    return f"nothing was recorded in {policy.folder} yet: `sightline serve` records its answers there"


def _show(days: Sequence[Day]) -> None:
    from rich.filesize import decimal
    from rich.table import Table

    from flows.cli.console import CONSOLE

    table = Table("day (UTC)", "version", "role", "answers", "size", "abstained", "foreign", "dropped")
    for one in days:
        shares = ["–" if share is None else f"{share:.1%}" for share in (one.abstained, one.foreign)]
        counts = f"{one.rows:,}", decimal(one.bytes)
        table.add_row(one.day, one.version, one.role, *counts, *shares, f"{one.dropped:,}")
    CONSOLE.print(table)
