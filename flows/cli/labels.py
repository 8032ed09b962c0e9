"""The command line: `sightline data label`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli import wrong_boxes
from flows.cli.common import AsJson, Use, UseOption, alone, enter, say
from flows.cli.labelling import Form, captured, is_captured, take_captured, waiting
from sightline.errors import ConfigError
from sightline.heads.labels import LABELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.project import Paths

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Send images out to be labelled, and take the labels back as a new version.\n\n"
    "Images of the data set: `sightline data label export todo.csv`, fill in the column `label`, `sightline data label "
    "import todo.csv`.\n\n"
    "Captured ones: `sightline data label export FOLDER --queue` (or `--audit`), label on the page in that folder, "
    "`sightline data label import answers.csv`.\n\n"
    "Boxes (project.task: detect): always a FOLDER, with a page to draw them on; it downloads `answers.json`.",
)


@app.command("export")
def export_labels(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.csv|FOLDER", help="The file to write; for captured images and for boxes the new folder."
        ),
    ],
    use: UseOption = Use.target,
    everything: Annotated[bool, typer.Option("--all", help="Every image, not only those that need a label.")] = False,
    audit: Annotated[
        bool, typer.Option("--audit", help="Captured images drawn at random: their labels say whether accuracy fell.")
    ] = False,
    queue: Annotated[
        bool, typer.Option("--queue", help="Captured images whose labels would teach most; never part of that verdict.")
    ] = False,
    likely_errors: Annotated[
        bool, typer.Option("--likely-errors", help="Images whose boxes the champion's answers contradict.")
    ] = False,
    count: Annotated[int, typer.Option(min=1, help="Most images that a folder asks about.")] = 200,
    form: Annotated[
        Form, typer.Option("--format", metavar="page|label-studio", help="In a folder: a page, or tasks.")
    ] = Form.page,
    suggest: Annotated[bool, typer.Option("--suggest", help="Add what the champion says, and how sure it is.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write what needs a label: a CSV of images of the data set, or a folder with captured ones and a page to label on.

    CSV: those without a label, and those with two, with the columns path (below the raw folder), sha256, label (to be
    filled in), with --suggest also suggestion, probability. The folder holds index.html, which opens without a server,
    the pictures, and a CSV to fill in instead.

    Boxes: the folder has a page to draw them on, and a COCO JSON that other tools read; without --audit and --queue it
    asks about images of the data set that wait for boxes, with --all about every one, to correct those that it has.
    With --likely-errors about those on which the champion finds boxes missing, elsewhere, of another class or around
    nothing; --suggest then puts its boxes in the place of the wrong ones.
    """
    from sightline.words import counted

    # Where it goes is said from where the user stands; the project may lie above.
    out = out.absolute()
    if likely_errors and (audit or queue or everything):
        raise ConfigError("--likely-errors asks about images of its own: leave out --audit, --queue and --all")
    if audit or queue:
        captured(out, audit=audit, queue=queue, count=count, form=form, suggest=suggest, as_json=as_json)
        return
    from sightline.data.labels.exchange import export

    paths = enter()
    if LABELS[paths.params.task_of(use.value)].are_boxes:
        asked = {"everything": everything, "likely_errors": likely_errors, "suggest": suggest, "as_json": as_json}
        _boxes(paths, use, out, count=count, form=form, **asked)
        return
    if likely_errors:
        which = "" if use is Use.target else f" {use}"
        raise ConfigError(
            f"--likely-errors is about boxes; `sightline data quality{which}` shows the images whose labels are "
            "probably wrong"
        )
    number = export(paths, use.value, out, everything=everything, suggest=_suggester(paths) if suggest else None)
    typer.echo(json.dumps({"file": str(out), "images": number}) if as_json else f"{counted(number, 'image')} in {out}")


def _boxes(
    paths: Paths,
    use: Use,
    out: Path,
    *,
    everything: bool,
    likely_errors: bool,
    count: int,
    form: Form,
    suggest: bool,
    as_json: bool,
) -> None:
    """Write images of the data set into a folder with a page on which boxes are drawn."""
    if use is Use.source:
        raise ConfigError("--use source: boxes are drawn on images of the target alone")
    if out.suffix.lower() == ".csv":
        raise ConfigError(f"{out.name}: boxes are no column of a table: name a new folder, for a page to draw them on")
    if likely_errors:
        wrong_boxes.export(paths, out, count=count, form=form, suggest=suggest, as_json=as_json)
    else:
        asked = _suggester(paths) if suggest else None
        waiting(paths, out, everything=everything, count=count, form=form, suggest=asked, as_json=as_json)


@app.command("import")
def import_labels(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A CSV of `export`, a page's download, another tool's COCO JSON, or Label Studio's JSON.",
        ),
    ],
    use: UseOption = Use.target,
    as_json: AsJson = False,
) -> None:
    """Take over labels and make the version that has them; the log says who, when and what.

    Labels are kept in `data/labels`, by content: no image is moved or renamed. A file with a bad line (unknown image,
    empty label, two labels for one image, a box without area) is refused as a whole. Captured images join the data set
    where the image file was kept; labels of the audit sample count for the verdict on accuracy. Once enough test images
    have come they make the next test release.
    """
    from sightline.data.labels.exchange import take
    from sightline.words import counted

    table = table.absolute()
    if is_captured(table):
        take_captured(table, as_json=as_json)
        return
    with alone(enter()) as paths:
        done = take(paths, use.value, table)
    if as_json:
        typer.echo(json.dumps(asdict(done)))
        return
    say(f"{counted(done.given, 'label')} read, {done.changed:,} new or changed; version {done.version[:8]}")
    if done.new_classes:
        say(f"new classes, perhaps misspelt: {', '.join(done.new_classes)}")


@app.command("undo")
def undo_labels(use: UseOption = Use.target, as_json: AsJson = False) -> None:
    """Take back the last import of labels on this machine, with the images that came with it, as a new version.

    So goes the test release that it made, where nothing was judged on it. What an audit's labels said of the accuracy
    stays.
    """
    from sightline.data.versions import archive
    from sightline.labelling.untake import undo

    with alone(enter()) as paths:
        note, said = undo(paths, use.value)
    version = archive.current(paths, use.value).digest
    if as_json:
        typer.echo(json.dumps({"undone": note, "version": version, "said": said}))
        return
    say(f"undone: {note}; version {version[:8]}")
    for sentence in said:
        say(sentence)


def _suggester(paths: Paths) -> Any:
    from sightline.registry.served import served
    from sightline.serve.files import predict_files
    from sightline.serve.images import source

    champion, limit = served(paths), paths.params.ingest.max_pixels

    def suggest(files: Sequence[Path]) -> list[dict[str, Any]]:
        images = [source(str(file), file) for file in files]
        return predict_files(champion.bundle, champion.version, images, max_pixels=limit)

    return suggest
