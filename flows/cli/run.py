"""`sightline run`: the training flow, on a Prefect server where anything has changed."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.common import AsJson, enter
from flows.cli.prefect_runs import killed, mine
from flows.cli.prefect_server import check_given, prefect_ready
from flows.values import lift
from sightline import config
from sightline.data.versions.external import check_folders
from sightline.errors import ProjectError
from sightline.evaluate import fixed
from sightline.turns import turn

if TYPE_CHECKING:
    from flows.summary import Summary
    from sightline.duration import Budget
    from sightline.params import Params
    from sightline.project import Paths


def run(
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="SECTION.KEY=VALUE",
            help="Change a value for this run, such as preprocess.size=96.",
        ),
    ] = None,
    budget: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TIME|STAGE=TIME",
            help="Time in which the run shall end, such as 10m: network, image size and steps follow from the speed "
            "that this machine is measured to have. pretrain=20m, finetune=… or scratch=… plan the steps of one stage.",
        ),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Read every file again, although size and times say that it is unchanged."),
    ] = False,
    save: Annotated[
        bool,
        typer.Option("--save", help="Write into params.yaml what --set, and of network and image size --budget, says."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the training flow: validate, train what has changed, evaluate, promote. Repeat it as often as you like."""
    began = time.time()
    paths = enter()
    with suppress(ProjectError), turn(paths.root, "`sightline run`"):
        lift(paths.root)  # what a killed run left; whoever is at work does so itself
    overrides = dict(config.parse_setting(text) for text in settings or []) or None
    params = config.load(paths.root, overrides)
    fixed.check(paths, params.evaluate.release)
    if params.train.workers > 1:
        from sightline.train.distributed import check_ahead

        check_ahead(params)
    check_folders(paths)
    time_given = None
    if budget:
        from sightline.duration import parse

        time_given = parse(budget)
    from flows.cli.console import use_plain_lines
    from flows.cli.repetition import forget, repeated
    from flows.cli.show import show_summary

    use_plain_lines()
    check_given(paths.root)
    if verify:
        forget(paths)
    summary = None if verify or save or killed(paths.root) else repeated(paths, overrides, time_given)
    if summary is None:
        summary = _trained(paths, params, overrides, time_given, began, verify=verify, save=save)
    if as_json:
        typer.echo(json.dumps(asdict(summary)))
    else:
        show_summary(summary)


def _trained(
    paths: Paths,
    params: Params,
    overrides: dict[str, Any] | None,
    budget: Budget | None,
    began: float,
    *,
    verify: bool,
    save: bool,
) -> Summary:
    """The whole training flow, on a Prefect server; what no run can be made of is told before it starts."""
    from sightline.data.versions.warm import start_ahead
    from sightline.registry.backbones import check

    if any(key.startswith("pretrain.") for key in overrides or ()):
        check(paths, params)  # what was given with the command is told before anything starts
    with prefect_ready(paths):
        check(paths, params)
        if isinstance(budget, dict):
            from sightline.budget.plan import check_stages

            check_stages(params, budget)
        from flows.train import train

        if not isinstance(budget, float):
            start_ahead(paths)
        from sightline.tracking.runs import connect

        connect(paths)
    with mine():
        return train(overrides, budget, began, verify, save)
