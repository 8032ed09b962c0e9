"""The command line: `sightline`."""

from __future__ import annotations

import json
import os
import sys
import traceback
from dataclasses import asdict
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import TyperException

from flows.cli import (
    capture,
    clean,
    data,
    export,
    init,
    lineage,
    monitor,
    predict,
    registry,
    report,
    retrain,
    run,
    serve,
    tune,
    verify,
)
from flows.cli.common import AsJson, Settings, announce, end_when_asked, enter, leave, misused, say
from sightline import config, space
from sightline.errors import SightlineError
from sightline.evaluate import fixed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.project import Paths

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command()(init.init)
app.command()(run.run)
app.add_typer(data.app, name="data")
app.add_typer(capture.app, name="capture")
for command in (registry.promote, registry.approve, registry.rollback, registry.history):
    app.command()(command)
app.add_typer(lineage.app)
app.command()(verify.verify)
app.command()(clean.clean)
app.command()(predict.predict)
app.command()(report.report)
app.command()(serve.serve)
app.command()(serve.score)
app.command()(monitor.monitor)
app.command()(retrain.why_retrain)
app.command()(tune.tune)
app.command()(export.export)


def _version(asked: bool) -> None:  # noqa: FBT001 — Typer calls it so
    if asked:
        typer.echo(f"sightline {installed('sightline')}")
        raise typer.Exit


@app.callback()
def about(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """From a folder of labelled images to a model in production.

    Start with `sightline init DIR --images FOLDER`, then `sightline run` in DIR.
    """


@app.command()
def evaluate(
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="Version of the classifier; by default the champion.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="All 15 corruptions of ImageNet-C at all 5 severities; takes minutes.")
    ] = False,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate a registered version on the present test release; the figures go to its MLflow run as well."""
    paths = enter()
    asked = config.load(paths.root, config.settings(settings or [], ("evaluate",))).evaluate
    fixed.check(paths, asked.release)
    if version is not None:
        from sightline.tracking.runs import check_version

        check_version(paths, version)
    from flows.cli.console import counted_steps
    from flows.cli.show import show_evaluation
    from sightline.evaluate.corruptions import CELLS
    from sightline.evaluate.registered import evaluate_version
    from sightline.registry.promotion import champion
    from sightline.report.plots import keep_pictures
    from sightline.tracking.runs import connect

    version = version or champion(connect(paths))
    with counted_steps(CELLS if full else 0) as step:
        done = evaluate_version(paths, version, asked.release, step)
    keep_pictures(connect(paths), done.run, done.folder, done.figures)
    if as_json:
        typer.echo(json.dumps(done.figures))
    else:
        show_evaluation(done.version, done.figures)


@app.command()
def doctor(
    deep: Annotated[
        bool, typer.Option("--deep", help="Load torch, open MLflow's store, and ask the champion its golden images.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check versions, stores and servers. Exit status 1 where something is wrong."""
    from sightline.doctor import examine

    try:
        paths: Paths | None = enter()
    except SightlineError:
        paths = None
    diagnoses = examine(paths, deep=deep)
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in diagnoses]))
    else:
        from flows.cli.show import show_diagnoses

        show_diagnoses(diagnoses)
    if not all(one.good for one in diagnoses):
        raise typer.Exit(1)


def answer(words: Sequence[str]) -> int:
    """Do what the words of a command line ask for; the exit status.

    What no command takes, our own errors and a full disk are told in a line each, with status 2; a bug is shown whole
    but for what nobody may read.
    """
    try:
        return int(app(words, prog_name="sightline", standalone_mode=False) or 0)
    except TyperException as error:
        said = misused(error)
    except Exception as error:  # noqa: BLE001
        said = space.sentences(Path(os.environ.get("SIGHTLINE_PROJECT", "")), error)
        if not said:
            say(traceback.format_exc(), err=True, lines=True)
            return 1
    for sentence in said:
        say(f"error: {sentence}", err=True, lines=True)
    return 2


def main() -> None:
    """Entry point."""
    end_when_asked()
    announce(f"sightline {sys.argv[1]}" if sys.argv[1:] else "sightline")
    try:
        leave(answer(sys.argv[1:]))
    except SystemExit as end:
        leave(end.code)


if __name__ == "__main__":
    main()
