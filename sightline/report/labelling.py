"""The pages on which a person labels images, or draws boxes on them: one file each, no server, no network."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from sightline.data import manifest
from sightline.files import write_atomically
from sightline.heads.labels import LABELS, shown
from sightline.images.reading import open_image, to_rgb
from sightline.labelling import drawings, sheet
from sightline.report.rendering import SMALL_SIDE, data_address, templates

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sightline.heads.labels import Labels
    from sightline.heads.located import Box as Located
    from sightline.labelling.chosen import Chosen
    from sightline.labelling.drawing import Drawing
    from sightline.project import Paths

SIDE, FINE = 640, 1280
"""Longest side of a picture on a page, pixels, and where edges are drawn on it: the files beside it are as they were
captured."""


def write_captured(paths: Paths, folder: Path, images: Sequence[Chosen], title: str, *, suggest: bool) -> Path:
    """Write captured images into the new `folder`, with the page to label them on; the page."""
    task = paths.params.task_of("target")
    classes, labels = manifest.classes(manifest.read(paths.manifest("target")), task), LABELS[task]
    if labels.are_boxes:
        return write_drawing(folder, drawings.of_captured(images, suggest=suggest), classes, title)
    sheet.write(folder, images, suggest=suggest)
    return write_labelling(folder, images, classes, labels, title, suggest=suggest)


def write_labelling(
    folder: Path, images: Sequence[Chosen], classes: Sequence[str], labels: Labels, title: str, *, suggest: bool
) -> Path:
    """Write `folder`/index.html, which downloads the answers as a table for `sightline data label import`; its path."""
    lines = [
        {
            **sheet.line(one),
            **_shown(one.picture or b"", SIDE),
            "name": f"{one.request} {one.place}",
            "about": sheet.about(one),
            "suggestion": shown(one.answer) if suggest else None,
        }
        for one in images
    ]
    data = {"classes": list(classes), "images": lines, "columns": sheet.COLUMNS, "sets": labels.are_sets}
    return _write(folder, "label.html.j2", title, data)


def write_drawing(folder: Path, images: Sequence[Drawing], classes: Sequence[str], title: str) -> Path:
    """Write the new `folder` with the pictures, a COCO JSON for other tools, and the page to draw boxes on; the page.

    What the page downloads is a COCO JSON for `sightline data label import`.
    """
    drawings.write(folder, images, classes)
    lines = [
        {
            **_shown(one.picture, FINE),
            "name": one.name,
            "width": one.width,
            "height": one.height,
            "about": one.about,
            "boxes": [_box(box.located) for box in one.boxes],
        }
        for one in images
    ]
    return _write(folder, "draw.html.j2", title, {"classes": drawings.classes_of(images, classes), "images": lines})


def _box(box: Located) -> dict[str, Any]:
    return {"label": box.name, "edges": box.edges, "kind": box.kind}


def _write(folder: Path, template: str, title: str, data: dict[str, Any]) -> Path:
    path = folder / "index.html"
    write_atomically(path, templates().get_template(template).render(title=title, data=data))
    return path


def _shown(picture: bytes, side: int) -> dict[str, object]:
    image = to_rgb(open_image(picture))
    small = max(image.size) <= SMALL_SIDE
    image.thumbnail((side, side))
    out = io.BytesIO()
    image.save(out, "WEBP", quality=85, lossless=small)
    return {"src": data_address(out.getvalue(), "webp"), "small": small}
