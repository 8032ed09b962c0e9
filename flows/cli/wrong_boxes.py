"""The command line: likely errors among boxes, as the champion's answers show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.data import manifest
from sightline.errors import DataError, ModelError, RegistryError
from sightline.heads.labels import LABELS

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from flows.cli.labelling import Form
    from sightline.data.quality import Finding
    from sightline.project import Paths


def find(paths: Paths, use: str, rows: pd.DataFrame) -> Finding | None:
    """Likely errors among the boxes of a data set with the manifest `rows`; None where there are none.

    Raises RegistryError where no champion can be asked.
    """
    from flows.cli.console import progress
    from sightline.evaluate.box_errors import ask
    from sightline.registry.served import served

    return ask(paths.raw(use), rows, served(paths).bundle, progress("asking the champion"))


def found(paths: Paths, use: str, rows: pd.DataFrame) -> tuple[list[Finding], str]:
    """The same for the list of findings, and why nobody was asked where that is so."""
    if not LABELS[paths.params.task_of(use)].are_boxes or use != "target":
        return [], ""
    try:
        one = find(paths, use, rows)
    except (ModelError, RegistryError) as error:
        return [], f"boxes are held against the answers of a champion: {error}"
    return [one] if one else [], ""


def export(paths: Paths, folder: Path, *, count: int, form: Form, suggest: bool, as_json: bool) -> None:
    """Write the images with likely errors among their boxes into the new `folder`, to be drawn on."""
    from flows.cli.labelling import tell, write_drawings
    from sightline.labelling import drawings, sheet

    sheet.check_new(folder)
    one = find(paths, "target", manifest.read(paths.manifest("target")))
    if one is None:
        raise DataError("no box looks wrong by the champion's answers; --all writes every image with its boxes")
    images, left = drawings.of_doubted(paths, one, count, suggest=suggest)
    page = write_drawings(paths, folder, images, "images whose boxes are probably wrong", form)
    tell(page, len(images), left, "", as_json=as_json)
