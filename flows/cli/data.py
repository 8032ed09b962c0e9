"""The command line: `sightline data`, versions of the images and labels."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.common import AsJson, alone, enter, say
from flows.cli.labelling import Form, captured, is_captured, take_captured

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.project import Paths

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Versions of your images and labels: what changed when, what is accepted, which labels are missing.\n\n"
    "Every change that `sightline run` finds in the raw images becomes a version, named by its digest. "
    "`data/history`, `data/labels` and `data/baseline` belong into git beside `dvc.lock`.",
)
label = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Send images out to be labelled, and take the labels back as a new version.\n\n"
    "Images of the data set: `sightline data label export todo.csv`, fill in the column `label`, `sightline data label "
    "import todo.csv`.\n\n"
    "Captured ones: `sightline data label export FOLDER --queue` (or `--audit`), label on the page in that folder, "
    "`sightline data label import answers.csv`.",
)
app.add_typer(label, name="label")


class Use(StrEnum):
    """The data sets of a project."""

    source = "source"
    target = "target"


WhichUse = Annotated[Use, typer.Argument(metavar="[source|target]", help="The data set; by default the target.")]
UseOption = Annotated[Use, typer.Option("--use", metavar="source|target", help="The data set; by default the target.")]


@app.command()
def log(
    use: Annotated[Use | None, typer.Argument(metavar="[source|target]", help="One data set; by default all.")] = None,
    as_json: AsJson = False,
) -> None:
    """List every version of the data: digest, when, by whom, commit (`now`: the present one), sizes, what changed."""
    from sightline.data.versions import history

    paths = enter()
    uses = [use.value] if use else sorted(paths.params.datasets)
    found = {one: history.log(paths, one) for one in uses}
    if as_json:
        typer.echo(json.dumps(found))
        return
    from flows.cli.console import show_versions

    for name, entries in found.items():
        show_versions(name, entries)


@app.command()
def diff(
    old: Annotated[str, typer.Argument(metavar="A", help="First digits of a version, `now`, or a git revision.")],
    new: Annotated[str, typer.Argument(metavar="B", help="The same, for the later one.")] = "now",
    use: UseOption = Use.target,
    as_json: AsJson = False,
) -> None:
    """Tell which images were added, removed, relabelled or given another role from version A to version B.

    Writes a page with thumbnails below `reports/`. `now` is the version ingested last: images that were put into the
    raw folder since then count after the next `sightline run`.
    """
    from sightline.data.versions import archive, history
    from sightline.data.versions.diff import compare, words
    from sightline.report.changes import write_changes

    paths = enter()
    first, second = (history.find(paths, use.value, name) for name in (old, new))
    before, after = (archive.rows(paths, version) for version in (first, second))
    changes = compare(before, after)
    said = words(changes, before, after, paths.params.task_of(use.value))
    page = write_changes(paths, first, second, (old, new), changes, said)
    if as_json:
        rows: list[dict[str, Any]] = changes.astype(object).where(changes.notna(), None).to_dict("records")  # type: ignore[assignment]
        found = {
            "use": use,
            "from": first.digest,
            "to": second.digest,
            "words": said,
            "changes": rows,
            "page": str(page),
        }
        typer.echo(json.dumps(found))
        return
    for sentence in said:
        say(sentence)
    say(f"page: {page}")


@app.command()
def add(
    images: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER|TABLE|ARCHIVE", help="Labelled images, in the same forms as for `sightline init`."
        ),
    ],
    use: UseOption = Use.target,
    as_json: AsJson = False,
) -> None:
    """Copy more labelled images into the data set, as its next version; those that it holds already are left out."""
    from sightline.data.adding import add as more
    from sightline.words import counted

    images = images.absolute()
    with alone(enter()) as paths:
        done = more(paths, use.value, images)
    if as_json:
        typer.echo(json.dumps(asdict(done)))
        return
    known = f", {done.known:,} are there already" if done.known else ""
    unlabelled = f", {done.unlabelled:,} without a label were left out" if done.unlabelled else ""
    say(f"{counted(done.added, 'image')} added to {use}{known}{unlabelled}; version {done.version[:8]}")
    for sentence in done.said:
        say(sentence)
    if done.new_classes:
        say(f"new classes, perhaps misspelt: {', '.join(done.new_classes)}")
    if done.added:
        say("`sightline run` trains with them; `sightline data save` commits the version")


@app.command()
def status(use: WhichUse = Use.target, as_json: AsJson = False) -> None:
    """Tell what changed in the raw folder since the last version, and what git does not hold yet."""
    from sightline.data.status import look
    from sightline.data.versions import saving

    paths = enter()
    found = look(paths, use.value)
    unsaved = saving.unsaved(paths)
    if as_json:
        typer.echo(json.dumps({"use": use, **asdict(found), "unsaved": unsaved}))
        return
    say(f"{use}, since version {found.version[:8]}:" if found.version else f"{use}: there is no version yet")
    for sentence in found.words:
        say(f"  {sentence}")
    if unsaved:
        say(f"not in git yet: {', '.join(unsaved)}; `sightline data save` commits them")


@app.command()
def save(
    message: Annotated[str, typer.Option("--message", "-m", help="Of the commit.")] = "Data and values of Sightline",
    as_json: AsJson = False,
) -> None:
    """Commit what git must hold of the data: DVC's files, values, logs, labels and baselines; nothing else.

    The images themselves go to a remote by `dvc push`.
    """
    from sightline.data.versions import saving

    paths = enter()
    names = saving.unsaved(paths)
    commit = saving.save(paths, message) if names else None
    if as_json:
        typer.echo(json.dumps({"commit": commit, "files": names}))
        return
    say(f"commit {commit[:8]}: {', '.join(names)}" if commit else "git holds everything already")
    if not saving.has_remote(paths):
        say("the images lie on this machine alone: `dvc remote add -d NAME ADDRESS`, then `dvc push`")


@app.command()
def baseline(use: WhichUse = Use.target, as_json: AsJson = False) -> None:
    """Accept the present version as what later ones are compared with: its classes, counts and distributions.

    From then on every run tells what changed against it, and stops where a change passes the limits of
    `validate.baseline` in params.yaml. Accept again after a change that you want. A data set without a baseline is
    compared with nothing.
    """
    from sightline.data.versions.accept import accept

    paths = enter()
    accepted = accept(paths, use.value)
    if as_json:
        typer.echo(json.dumps({"use": use, **asdict(accepted), "file": str(paths.baseline(use.value))}))
        return
    images = sum(accepted.classes.values())
    say(f"{use}: {accepted.version[:8]} with {images:,} images of {len(accepted.classes):,} classes is accepted")
    say(f"keep it: git add {paths.baseline(use.value).relative_to(paths.root)}")


@app.command()
def quality(use: WhichUse = Use.target, as_json: AsJson = False) -> None:
    """Tell what is odd about the images, likely label errors included, and write a page that shows them.

    Copies, contradictions, leaks, series without a group, blank, dark, bright and blurred images, odd sizes, uneven
    classes, shortcuts. Every run finds these too; every label is asked about here alone, which takes longer.
    """
    from flows.cli.console import progress
    from sightline.data import manifest
    from sightline.data.assess import assess
    from sightline.report.quality import write_quality

    paths = enter()
    rows = manifest.read(paths.manifest(use.value))
    found = assess(paths, use.value, rows, progress("looking at the images"))
    page = write_quality(paths, use.value, rows, found)
    if as_json:
        typer.echo(json.dumps({"use": use, "findings": [asdict(one) for one in found], "page": str(page)}))
        return
    for one in found:
        say(f"{one.title} ({one.cases:,}): {one.sentence}")
    say("Nothing odd was found." if not found else f"page: {page}")


@label.command("export")
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


@label.command("import")
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


@label.command("undo")
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

    champion = served(paths)
    limit = paths.params.ingest.max_pixels

    def suggest(files: Sequence[Path]) -> list[dict[str, Any]]:
        images = [Source(str(file), file) for file in files]
        return predict_files(champion.bundle, champion.version, images, max_pixels=limit)

    return suggest
