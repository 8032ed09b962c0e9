"""The page on which a person labels captured images with the keyboard: one file, no server, no network."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from sightline.files import write_atomically
from sightline.heads.labels import shown
from sightline.images.reading import open_image, to_rgb
from sightline.labelling import sheet
from sightline.report.rendering import SMALL_SIDE, data_address, templates

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sightline.heads.labels import Labels
    from sightline.labelling.chosen import Chosen

SIDE = 640
"""Longest side of a picture on the page, pixels: the files beside it are as they were captured."""


def write_labelling(
    folder: Path, images: Sequence[Chosen], classes: Sequence[str], labels: Labels, title: str, *, suggest: bool
) -> Path:
    """Write `folder`/index.html, which downloads the answers as a table for `sightline data label import`; its path."""
    lines = [
        {**sheet.line(one), **_shown(one), "why": one.why, "suggestion": shown(one.answer) if suggest else None}
        for one in images
    ]
    data = {"classes": list(classes), "images": lines, "columns": sheet.COLUMNS, "sets": labels.are_sets}
    html = templates().get_template("label.html.j2").render(title=title, data=data)
    path = folder / "index.html"
    write_atomically(path, html)
    return path


def _shown(one: Chosen) -> dict[str, object]:
    image = to_rgb(open_image(one.picture or b""))
    small = max(image.size) <= SMALL_SIDE
    image.thumbnail((SIDE, SIDE))
    out = io.BytesIO()
    image.save(out, "WEBP", quality=85, lossless=small)
    return {"src": data_address(out.getvalue(), "webp"), "small": small}
