"""The command line: `sightline monitor`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from flows.cli.common import AsJson, enter, say
from sightline.words import counted


def monitor(
    acknowledge: Annotated[
        bool, typer.Option("--acknowledge", help="End the alarm first: it was seen. The next one needs twice as much.")
    ] = False,
    window: Annotated[
        bool,
        typer.Option(
            "--window",
            help="Test the latest 1,000 images by plain tests, too: meant to be asked once, as repeated they find "
            "something sooner or later.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look at the answers recorded since the last look: whether the traffic shifted, in what, and accuracy fell.

    Exit status 1 where something is wrong, or could not be seen.
    """
    paths = enter()
    from flows.watch import watch
    from sightline.monitor.look import acknowledge as end
    from sightline.monitor.look import plain_tests
    from sightline.report.monitor import causes, sentences

    if acknowledge:
        alarm = end(paths)
        said = f"alarm {alarm.number}, of {alarm.since}, is over" if alarm else "there is no alarm to acknowledge"
        say(said, err=as_json)
    outcome = watch(paths)
    tested = plain_tests(paths) if window else None
    if as_json:
        plain = {"window": asdict(tested) if tested else None} if window else {}
        typer.echo(json.dumps(outcome.as_json() | plain))
    else:
        say(f"version {outcome.version}: {counted(outcome.rows_new, 'new answer')}, {outcome.seen:,} in all")
        for one in sentences(outcome):
            say(one)
        if tested:
            for one in causes(tested):
                say(f"the latest {counted(tested.images, 'image')} by themselves: {one}")
        say(f"page: {paths.reports / 'monitor.html'}")
    if not outcome.is_calm:
        raise typer.Exit(1)
