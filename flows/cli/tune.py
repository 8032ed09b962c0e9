"""The command line: `sightline tune`."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Annotated

import typer

from flows.cli.common import AsJson, enter, say
from flows.cli.prefect_runs import mine
from sightline import config


def tune(
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Time in which the search shall end, such as 2h; half an hour by default."),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Trials altogether, those of earlier searches and of other copies counted."),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write what was found into params.yaml.")] = False,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.KEY=VALUE",
            help="Search around other values; a network or image size that is given is not searched.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search for a recipe, network and image size that do better on the validation images.

    After a kill the same command goes on. In one project searches wait for each other; several copies of it, on one
    machine or more, share a study where SIGHTLINE_TUNE_URI names the same database for all.
    """
    began = time.time()
    paths = enter()
    overrides = dict(config.parse_setting(text) for text in settings or []) or None
    config.load(paths.root, overrides)
    seconds = None
    if budget:
        from sightline.duration import seconds_of

        seconds = seconds_of(budget)
    from flows.cli.console import use_plain_lines
    from flows.cli.prefect_server import prefect_ready

    use_plain_lines()
    with prefect_ready(paths):
        from flows.tune import tune as flow

    with mine():
        done = flow(seconds, trials, apply, overrides, began)
    if as_json:
        typer.echo(json.dumps(asdict(done)))
        return
    say(done.sentence)
    if done.values and done.applied:
        say(f"written into {config.PARAMS}; `sightline run` trains with it")
    elif done.values:
        say(f"sightline run {done.words}")
    say(f"page: {done.page}")
