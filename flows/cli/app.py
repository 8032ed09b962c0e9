"""The command line: `sightline`."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.exceptions import TyperException

from flows.cli import (
    capture,
    clean,
    data,
    export,
    lineage,
    monitor,
    predict,
    registry,
    report,
    retrain,
    serve,
    tune,
    verify,
)
from flows.cli.common import AsJson, Settings, announce, end_when_asked, enter, leave, misused, say
from flows.cli.prefect_runs import killed, mine
from flows.cli.prefect_server import check_given, prefect_ready
from flows.values import lift
from sightline import config, space
from sightline.data.versions.external import check_folders
from sightline.errors import ProjectError, SightlineError
from sightline.evaluate import fixed
from sightline.turns import turn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows.summary import Summary
    from sightline.duration import Budget
    from sightline.params import Params
    from sightline.project import Paths

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
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
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the new project; made where it is missing.")],
    images: Annotated[
        str,
        typer.Option(
            help="What the model is for: FOLDER/CLASS/image, FOLDER/train/CLASS/image, a table of path,label[,split]"
            "[,group] (CSV or JSONL), a .zip or .tar of such, tar shards, torchvision:NAME, or embedded:digits."
        ),
    ] = "embedded:digits",
    source: Annotated[
        str | None,
        typer.Option(
            help="What the backbone is pretrained on, in the same forms; embedded:glyphs for the digits, "
            "embedded:fractals (or embedded:fractals:CLASSESxIMAGES) for images made by formulas."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Stem of the registered models; by default the name of DIR.")] = None,
    external: Annotated[
        bool, typer.Option("--external", help="Leave folders where they are: for those too large to copy.")
    ] = False,
    download: Annotated[
        bool, typer.Option("--download", help="Let torchvision fetch a set that torchvision:NAME asks for.")
    ] = False,
) -> None:
    """Make a project around a folder of images, under git and DVC. Your images are copied, never changed.

    Without --source it begins with the backbone that comes with Sightline, or with the newest NAME-NETWORK.safetensors
    (`runs/pretrain/*/weights.safetensors` of another project, renamed) in the folder that SIGHTLINE_BACKBONES names.
    """
    from flows.cli.prefect_tables import tables_ready
    from sightline import scaffold

    if source is None and images == "embedded:digits":
        source = "embedded:glyphs"
    with tables_ready():
        scaffold.init(folder, images, source, name, say, external=external, download=download)
    say(f"ready: cd {folder} && sightline run")


@app.command()
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
        bool, typer.Option("--save", help="Leave in params.yaml what --set or --budget changed of the data's values.")
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
    summary = None if verify or killed(paths.root) else repeated(paths, overrides, time_given)
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
        start_ahead(paths)
        from flows.train import train
        from sightline.tracking.runs import connect

        connect(paths)
    with mine():
        return train(overrides, budget, began, verify, save)


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
