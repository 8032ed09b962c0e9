"""The command line: `sightline data boxes`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from flows.cli.common import AsJson, say

SHOWN = 10
"""Reasons that the terminal shows; the JSON has all."""


def boxes(
    place: Annotated[Path, typer.Argument(metavar="FOLDER|FILE", help="Images with annotations, or a file of them.")],
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="A new folder for all that can be used.")] = None,
    form: Annotated[
        Literal["coco", "voc", "yolo", "labels"],
        typer.Option("--format", help="How its boxes are kept; labels: as a labels.csv of the classes that show."),
    ] = "coco",
    as_json: AsJson = False,
) -> None:
    """Tell which boxes a folder holds, in whatever form `sightline init` reads, and what is wrong with them.

    Needs no project. With --out the images are copied, with their boxes in the form that is asked for; what cannot be
    used stays behind. `sightline init P --images OUT/labels.csv` learns which classes an image shows.
    """
    from sightline.data.annotations import conversion, read, root
    from sightline.words import counted

    place = place.absolute()
    found = read(place)
    left_out = conversion.write(found, root(place), out.absolute(), form) if out else 0
    told = summary(found)
    if as_json:
        typer.echo(json.dumps({**told, "out": str(out.absolute()) if out else None, "left_out": left_out}))
        return
    classes = ", ".join(f"{name} {number:,}" for name, number in told["classes"].items())
    say(f"{counted(told['images'], 'image')}, {told['without']:,} of them without a box; boxes: {classes or 'none'}")
    for what in ("images", "boxes"):
        faults = told["faults"][what]
        for one in faults[:SHOWN]:
            say(f"{one['status']}: {'a box in ' if what == 'boxes' else ''}{one['path']}: {one['reason']}")
        if len(faults) > SHOWN:
            say(f"… and {len(faults) - SHOWN:,} more {what}; --json tells all")
    if out:
        say(f"written: {out}")
    if left_out:
        say(f"left out: {counted(left_out, 'crowd or difficult box')}, which YOLO's text would tell as objects")


def summary(found: Any) -> dict[str, Any]:
    """What can be used, and what cannot or was changed, with its reason."""
    usable = [rows for _, rows in found.each()]
    numbers = dict.fromkeys(found.classes, 0)
    for rows in usable:
        for box in rows:
            numbers[box.label] += 1
    faults = {
        what: table.loc[table["status"] != "ok", ["path", "status", "reason"]].to_dict("records")
        for what, table in (("images", found.images), ("boxes", found.boxes))
    }
    return {"images": len(usable), "without": sum(not rows for rows in usable), "classes": numbers, "faults": faults}
