"""The command line: `sightline monitor`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from flows.cli.common import AsJson, enter, say


def monitor(
    acknowledge: Annotated[
        bool, typer.Option("--acknowledge", help="End the alarm first: it was seen. The next one needs twice as much.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look at the answers recorded since the last look: whether the traffic shifted, in what, and accuracy fell.

    Exit status 1 where something is wrong, or could not be seen.
    """
    paths = enter()
    from flows.watch import watch
    from sightline.monitor.look import acknowledge as end
    from sightline.report.monitor import sentences

    if acknowledge:
        alarm = end(paths)
        said = f"alarm {alarm.number}, of {alarm.since}, is over" if alarm else "there is no alarm to acknowledge"
        say(said, err=as_json)
    outcome = watch(paths)
    if as_json:
        typer.echo(json.dumps(outcome.as_json()))
    else:
        say(f"version {outcome.version}: {outcome.rows_new:,} new answers, {outcome.seen:,} in all")
        for one in sentences(outcome):
            say(one)
        say(f"page: {paths.reports / 'monitor.html'}")
    if not outcome.is_calm:
        raise typer.Exit(1)
