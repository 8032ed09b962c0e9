"""The page of a data set's quality: each finding in words, with the images to look at; one file, without a network."""

from __future__ import annotations

import base64
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.data.files.facts import read_bytes
from sightline.files import write_atomically
from sightline.heads.labels import LABELS
from sightline.images.outlined import Outline, outline
from sightline.images.reading import UnreadableImage, inspect, open_image, upright_size
from sightline.report.rendering import templates

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from sightline.data.quality import Finding
    from sightline.data.quality.finding import WrongBox
    from sightline.project import Paths

SIDE, BOXED = 96, 320
"""Longest side of a thumbnail, pixels, and of one on which boxes are shown."""
DRAWN, FOUND = (250, 204, 21), (37, 99, 235)
"""Colours of boxes that were drawn and look wrong, and of what was found."""


def write_quality(paths: Paths, use: str, rows: pd.DataFrame, found: Sequence[Finding]) -> Path:
    """Show the findings about a data set with the manifest `rows` on its page of quality; its path."""
    labels = LABELS[paths.params.task_of(use)]
    told = rows["label"].map(lambda text: text if labels.fault(text) else labels.shown(text), na_action="ignore")
    rows = rows.assign(label=told.astype(object))
    return write_page(found, rows, paths.raw(use), paths.quality(use), f"{paths.params.project.name}-{use}")


def write_page(found: Sequence[Finding], rows: pd.DataFrame, folder: Path, path: Path, name: str) -> Path:
    """Write the findings about data set `name` as one HTML file at `path` (folders are made); returns `path`.

    `rows` is its manifest and `folder` holds its images; one that cannot be shown stands there by its name. The same
    findings about the same images give the same bytes.
    """
    wanted = {image for finding in found for group in finding.groups for image in group}
    known = rows[rows["path"].isin(wanted)].drop_duplicates("path").set_index("path")
    boxes: dict[str, list[WrongBox]] = {}
    for box in (box for finding in found for box in finding.boxes):
        boxes.setdefault(box.path, []).append(box)
    wrong: dict[str, list[str]] = {}
    for label in (label for finding in found for label in finding.labels):
        wrong.setdefault(label.path, []).append(label.words)
    images = {image: _image(image, known, folder) for image in sorted(wanted)}
    boxed = {image: _boxed(image, boxes[image], folder) for image in sorted(wanted & boxes.keys())}
    counts = {str(status): int(count) for status, count in rows["status"].value_counts().sort_index().items()}
    html = (
        templates()
        .get_template("quality.html.j2")
        .render(name=name, found=found, images=images, boxed=boxed, wrong=wrong, total=len(rows), counts=counts)
    )
    write_atomically(path, html)
    return path


def _image(path: str, known: pd.DataFrame, folder: Path) -> dict[str, Any]:
    """Collect what the page shows of an image: address of its thumbnail or None, label and role or an empty text."""
    row = known.loc[path].fillna("")
    return {"src": _thumbnail(folder, path), "label": row["label"], "role": row["role"] or row["status"]}


def _boxed(path: str, boxes: Sequence[WrongBox], folder: Path) -> dict[str, Any]:
    """An image with the boxes that look wrong and those that were found, and what is said of them."""
    return {"src": _thumbnail(folder, path, BOXED, boxes), "said": [box.words for box in boxes]}


def _thumbnail(folder: Path, path: str, side: int = SIDE, boxes: Sequence[WrongBox] = ()) -> str | None:
    try:
        data = read_bytes(folder, path)
        image = inspect(data, side)[1]
        width, height = upright_size(open_image(data))
    except (OSError, UnreadableImage):
        return None
    image.thumbnail((side, side))
    across, down = image.width / width, image.height / height
    pairs = [(box.drawn, DRAWN) for box in boxes] + [(box.found, FOUND) for box in boxes]
    edges = ((tuple(np.multiply(one, (across, down) * 2).tolist()), colour) for one, colour in pairs if one)
    outline(image, [Outline(*one) for one in edges])
    out = BytesIO()
    image.save(out, "WEBP", quality=70)
    return f"data:image/webp;base64,{base64.b64encode(out.getvalue()).decode('ascii')}"
