"""The command line: `sightline predict`."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.cli.common import AsJson, enter, say
from sightline.errors import ConfigError
from sightline.words import counted, to_cell

if TYPE_CHECKING:
    from collections.abc import Sequence

BOX_COLUMNS = ("path", "label", "probability", "x1", "y1", "x2", "y2", "abstain", "foreign", "version", "error")
COLUMNS = ("path", "label", "probability", "abstain", "set", "foreign", "foreign_score", "version", "error")


def predict(
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE|FOLDER|PATTERN…",
            help="Image files, folders or tar files of them, tables of paths, or quoted patterns such as '*.jpg'.",
        ),
    ],
    version: Annotated[str | None, typer.Option(help="A version of the classifier; by default the champion.")] = None,
    top: Annotated[
        int | None, typer.Option("--top-k", min=1, metavar="N", help="Tell the N likeliest classes of each image.")
    ] = None,
    draw: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write each image with its answer on it into this folder, as JPEG."),
    ] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table for spreadsheets instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask the champion (or another version) what is on image files. Exit status 1 where one cannot be read."""
    if as_csv and as_json:
        raise ConfigError("--csv and --json: give one of them")
    from sightline.serve.images import asked

    # Relative to where the command was given, not to the project.
    draw = draw.absolute() if draw else None
    if draw is not None and draw.exists() and not draw.is_dir():
        raise ConfigError(f"--draw {draw} is a file: name a folder for the pictures")
    found = [one for given in images for one in asked(given)]
    paths = enter()
    from sightline.registry.served import served

    answering = served(paths, version)
    from sightline.serve.files import predict_files

    if draw is not None:
        from sightline.serve.drawn import check_apart

        check_apart(found, draw)
    rows = predict_files(answering.bundle, answering.version, found, top, max_pixels=paths.params.ingest.max_pixels)
    if as_json:
        typer.echo(json.dumps(rows))
    elif as_csv and any("boxes" in row for row in rows):
        _box_table(rows)
    elif as_csv:
        _table(rows, top)
    else:
        for row in rows:
            say(f"{row['path']}: {_words(row)}", err="error" in row)
    if draw is not None:
        from sightline.serve.drawn import draw as write

        made = write(found, rows, draw)
        say(f"{counted(len(made), 'picture')} in {draw}", err=as_json or as_csv)
    if any("error" in row for row in rows):
        raise typer.Exit(1)


def _words(row: dict[str, Any]) -> str:
    from sightline.heads.labels import shown
    from sightline.heads.located import told
    from sightline.serve.files import doubt

    if "error" in row:
        return str(row["error"])
    if "boxes" in row:
        said = told(box["label"] for box in row["boxes"])
        return f"{said}  {row['probability']:.3f}  {doubt(row)}".rstrip()
    top = [f"{one['label']}  {one['probability']:.3f}" for one in row.get("top", ())]
    said = f"{shown(row['label'])}  {row['probability']:.3f}"
    if top:
        # The likeliest class is the answer, or one of the set that is.
        said = f"{said}  ({', '.join(top)})" if "labels" in row else ", ".join(top)
    return f"{said}  {doubt(row)}".rstrip()


def _table(rows: Sequence[dict[str, Any]], top: int | None) -> None:
    """A row for each image; the classes after the likeliest, and the likeliest of a set, in columns of their own."""
    first = 1 if any("labels" in row for row in rows) else 2
    more = range(first, 1 + max((len(row.get("top", ())) for row in rows), default=0) if top else first)
    names = [*COLUMNS[:3], *(f"{name}_{place}" for place in more for name in ("label", "probability")), *COLUMNS[3:]]
    writer = csv.DictWriter(sys.stdout, names, restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        # A set of labels stands in the column label, as in a table of labels.
        flat = {key: value for key, value in row.items() if key not in {"top", "labels"}}
        for place, one in enumerate(row.get("top", [])[first - 1 :], start=first):
            flat |= {f"label_{place}": one["label"], f"probability_{place}": one["probability"]}
        flat["set"] = " | ".join(row.get("set") or ())
        writer.writerow({key: _cell(value) for key, value in flat.items()})


def _box_table(rows: Sequence[dict[str, Any]]) -> None:
    """A row for each box; one without a box for an image that has none."""
    writer = csv.DictWriter(sys.stdout, BOX_COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        for box in row.get("boxes") or [{"label": "", "probability": None}]:
            writer.writerow({key: _cell(value) for key, value in {**row, **box}.items()})


def _cell(value: Any) -> str:
    from sightline.data.sources.item import spelled

    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value).lower() if isinstance(value, bool) else to_cell(spelled(str(value)))
