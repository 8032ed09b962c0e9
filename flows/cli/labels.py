"""The command line: `sightline data label`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.common import AsJson, Use, UseOption, alone, enter, say
from flows.cli.labelling import Form, captured, is_captured, take_captured

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
    "`sightline data label import answers.csv`.",
)


@app.command("export")
def export_labels(
    out: Annotated[
        Path,
        typer.Argument(
            metavar="FILE.csv|FOLDER", help="The file, or with --audit or --queue the new folder, to write."
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
    count: Annotated[int, typer.Option(min=1, help="Most captured images to ask about.")] = 200,
    form: Annotated[
        Form, typer.Option("--format", metavar="page|label-studio", help="For captured images: a page, or tasks.")
    ] = Form.page,
    suggest: Annotated[bool, typer.Option("--suggest", help="Add what the champion says, and how sure it is.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write what needs a label: a CSV of images of the data set, or a folder with captured ones and a page to label on.

    CSV: those without a label, and those with two, with the columns path (below the raw folder), sha256, label (to be
    filled in), with --suggest also suggestion, probability. The folder holds index.html, which opens without a server,
    the pictures, and a CSV to fill in instead.
    """
    from sightline.words import counted

    # Where it goes is said from where the user stands; the project may lie above.
    out = out.absolute()
    if audit or queue:
        captured(out, audit=audit, queue=queue, count=count, form=form, suggest=suggest, as_json=as_json)
        return
    from sightline.data.labels.exchange import export

    paths = enter()
    number = export(paths, use.value, out, everything=everything, suggest=_suggester(paths) if suggest else None)
    typer.echo(json.dumps({"file": str(out), "images": number}) if as_json else f"{counted(number, 'image')} in {out}")


@app.command("import")
def import_labels(
    table: Annotated[
        Path, typer.Argument(metavar="FILE", help="A CSV of `export`, the page's download, or Label Studio's JSON.")
    ],
    use: UseOption = Use.target,
    as_json: AsJson = False,
) -> None:
    """Take over labels and make the version that has them; the log says who, when and what.

    Labels are kept in `data/labels`, by content: no image is moved or renamed. A file with a bad line (unknown image,
    empty label, two labels for one image) is refused as a whole. Captured images join the data set where the image file
    was kept; labels of the audit sample count for the verdict on accuracy. Once enough test images have come they make
    the next test release.
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

    What an audit's labels said of the accuracy stays.
    """
    from sightline.data.labels.change import undo
    from sightline.data.versions import archive

    with alone(enter()) as paths:
        note = undo(paths, use.value)
    version = archive.current(paths, use.value).digest
    if as_json:
        typer.echo(json.dumps({"undone": note, "version": version}))
        return
    say(f"undone: {note}; version {version[:8]}")


def _suggester(paths: Paths) -> Any:
    from sightline.registry.served import served
    from sightline.serve.files import predict_files
    from sightline.serve.images import Source

    champion, limit = served(paths), paths.params.ingest.max_pixels

    def suggest(files: Sequence[Path]) -> list[dict[str, Any]]:
        images = [Source(str(file), file) for file in files]
        return predict_files(champion.bundle, champion.version, images, max_pixels=limit)

    return suggest
