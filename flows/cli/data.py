"""The command line: `sightline data`, versions of the images and labels."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli import labels, wrong_boxes
from flows.cli.boxes import boxes
from flows.cli.common import AsJson, Use, UseOption, WhichUse, alone, enter, say, written

if TYPE_CHECKING:
    from sightline.project import Paths

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Versions of your images and labels: what changed when, what is accepted, which labels are missing.\n\n"
    "Every change that `sightline run` finds in the raw images becomes a version, named by its digest. "
    "`data/history`, `data/labels` and `data/baseline` belong into git beside `dvc.lock`.",
)
app.add_typer(labels.app, name="label")
app.command()(boxes)


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
    from flows.cli.show import show_versions

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
    page = written(paths, lambda: write_changes(paths, first, second, (old, new), changes, said))
    if as_json:
        rows: list[dict[str, Any]] = changes.astype(object).where(changes.notna(), None).to_dict("records")  # type: ignore[assignment]
        found = {
            "use": use,
            "from": first.digest,
            "to": second.digest,
            "words": said,
            "changes": rows,
            "page": page and str(page),
        }
        typer.echo(json.dumps(found))
        return
    for sentence in said:
        say(sentence)
    if page:
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
    from sightline.words import counted, with_verb

    images = images.absolute()
    with alone(enter()) as paths:
        done = more(paths, use.value, images)
    if as_json:
        typer.echo(json.dumps(asdict(done)))
        return
    there = done.known + done.labelled
    known = f", {with_verb(there, 'is', 'are')} there already" if there else ""
    known += f", with a label now: {done.labelled:,} of them" if done.labelled else ""
    unlabelled = f", left out without a label: {done.unlabelled:,}" if done.unlabelled else ""
    say(f"{counted(done.added, 'image')} added to {use}{known}{unlabelled}; version {done.version[:8]}")
    for sentence in done.said:
        say(sentence)
    if done.new_classes:
        say(f"new classes, perhaps misspelt: {', '.join(done.new_classes)}")
    if done.added or done.labelled:
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
    from sightline.words import counted

    paths = enter()
    names = saving.unsaved(paths)
    commit = saving.save(paths, message) if names else None
    changes, unknown = _unversioned(paths)
    if as_json:
        typer.echo(json.dumps({"commit": commit, "files": names, "changes": changes}))
        return
    held = "git holds everything already" if not changes else "git holds every version that there is"
    say(f"commit {commit[:8]}: {', '.join(names)}" if commit else held)
    for use, number in changes.items():
        where = paths.params.datasets[use].images
        say(f"{counted(number, 'changed image')} in {where}, in no version yet: `sightline run` makes one")
    for sentence in unknown:
        say(sentence)
    if not saving.has_remote(paths):
        say("the images lie on this machine alone: `dvc remote add -d NAME ADDRESS`, then `dvc push`")


def _unversioned(paths: Paths) -> tuple[dict[str, int], list[str]]:
    """Changed images of each data set that are in no version, and of which sets that cannot be told, and why."""
    from sightline.data.status import look
    from sightline.errors import DataError

    changes, unknown = {}, []
    for use in sorted(paths.params.datasets):
        try:
            if number := look(paths, use).changes:
                changes[use] = number
        except DataError as error:
            unknown.append(f"whether images of {use} have changed since its version is unknown: {error}")
    return changes, unknown


@app.command()
def release(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Of a new one; without it those are told that there are.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fix the present test images of the target as a new test release, or list the releases.

    The first one is made by the first run, and the next of its line once a twentieth as many test images have come;
    one of another name is needed where too many images of a release are gone, and `--set evaluate.release=NAME` then
    names it.
    """
    from sightline.evaluate import release as releases
    from sightline.words import counted

    paths = enter()
    found = [releases.make(paths, name)] if name is not None else releases.known(paths)
    if as_json:
        typer.echo(json.dumps([{"name": one.name, "images": len(one.images), "new": len(one.new)} for one in found]))
        return
    for one in found:
        new = f", {len(one.new):,} of them in none before" if one.new else ""
        say(f"test release {one.name}: {counted(len(one.images), 'image')}{new}")
    if name is not None:
        say(f"--set evaluate.release={name} names it for one command, evaluate.release in params.yaml for all")
    elif not found:
        say("there is no test release yet; `sightline run` makes the first")


@app.command()
def baseline(use: WhichUse = Use.target, as_json: AsJson = False) -> None:
    """Accept the present version as what later ones are compared with: its classes, counts and distributions.

    From then on every run tells what changed against it, and stops where a change passes the limits of
    `validate.baseline` in params.yaml. Accept again after a change that you want. A data set without a baseline is
    compared with nothing.
    """
    from sightline.data.versions.accept import accept

    paths = enter()
    accepted, is_new = accept(paths, use.value)
    if as_json:
        typer.echo(json.dumps({"use": use, **asdict(accepted), "file": str(paths.baseline(use.value))}))
        return
    images, again = sum(accepted.classes.values()), "" if is_new else " already"
    say(f"{use}: {accepted.version[:8]} with {images:,} images of {len(accepted.classes):,} classes is accepted{again}")
    say(f"keep it: git add {paths.baseline(use.value).relative_to(paths.root)}")


@app.command()
def quality(use: WhichUse = Use.target, as_json: AsJson = False) -> None:
    """Tell what is odd about the images, likely label errors included, and write a page that shows them.

    Copies, contradictions, leaks, series without a group, blank, dark, bright and blurred images, odd sizes, uneven
    classes, shortcuts. Every run finds these too; every label is asked about here alone, which takes longer. Boxes are
    held against the champion's answers: missing ones, and those around nothing, badly placed or of another class.
    """
    from flows.cli.console import progress
    from sightline.data import manifest
    from sightline.data.assess import assess
    from sightline.report.quality import write_quality

    paths = enter()
    rows = manifest.read(paths.manifest(use.value))
    doubted, unasked = wrong_boxes.found(paths, use.value, rows)
    found = assess(paths, use.value, rows, progress("looking at the images")) + doubted
    page = written(paths, lambda: write_quality(paths, use.value, rows, found))
    if unasked:
        say(unasked, err=True)
    if as_json:
        typer.echo(json.dumps({"use": use, "findings": [asdict(one) for one in found], "page": page and str(page)}))
        return
    for one in found:
        say(f"{one.title} ({one.cases:,}): {one.sentence}")
    if page or not found:
        say("Nothing odd was found." if not found else f"page: {page}")
