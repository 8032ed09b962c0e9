"""Images with boxes as a folder of their own, in the form that another tool reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.data.annotations import coco, voc, yolo
from sightline.data.sources.copying import clone
from sightline.data.sources.label_sets import SEVERAL
from sightline.data.sources.tables import as_text
from sightline.errors import DataError
from sightline.files import replacing, write_atomically
from sightline.heads.labels import joined

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.data.annotations.table import Annotations

JSON, TABLE = "annotations.json", "labels.csv"
BY_NAME = ("voc", "yolo")
"""Forms with a file for each image, called as it is but for the ending."""


def write(found: Annotations, folder: Path, out: Path, form: str) -> int:
    """Copy the usable images of `folder` to the new folder `out`, which appears whole, with their boxes in that form.

    The form `labels` is a table of the classes that each image shows, which several labels are learned from. How many
    boxes the form cannot tell and were left out. Raises DataError where something is at `out`, an image cannot be read,
    or two would share one file of annotations.
    """
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise DataError(f"{out}: something is there already; name a new folder")
    if form in BY_NAME:
        _check_names(found, form)
    with replacing(out) as scratch:
        for image, _ in found.each():
            place = scratch / image.path
            place.parent.mkdir(parents=True, exist_ok=True)
            reason = clone(folder / image.path, place)
            if reason:
                raise DataError(f"{folder / image.path} cannot be copied: {reason}")
        if form == "yolo":
            return yolo.write(found, scratch)
        if form == "voc":
            voc.write(found, scratch)
        elif form == "labels":
            write_atomically(scratch / TABLE, as_text(_shown(found)))
        else:
            coco.write(found, scratch / JSON)
    return 0


def _check_names(found: Annotations, form: str) -> None:
    """Raise DataError where images differ in their endings alone: each would have the boxes of the other."""
    seen: dict[str, str] = {}
    for image, _ in found.each():
        other = seen.setdefault(image.path.rpartition(".")[0], image.path)
        if other != image.path:
            raise DataError(
                f"{other} and {image.path} differ in their endings alone, and {form} has one file of boxes for both: "
                "rename one of them, or take the form coco"
            )


def _shown(found: Annotations) -> Iterator[dict[str, Any]]:
    """Of each image which classes it shows, as a table of several labels has it."""
    for image, boxes in found.each():
        label = joined(box.label for box in boxes)
        yield {"path": image.path, "label": label, "split": image.split, "group": image.group, SEVERAL: True}
