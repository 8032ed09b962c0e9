"""Label Studio's JSON for boxes, both ways: `label_studio` with rectangles in place of choices.

Edges are per cent of the picture: https://labelstud.io/guide/task_format, and the tag RectangleLabels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from sightline.data.sources import studio
from sightline.labelling.label_studio import IMAGE, TAG, shown_in
from sightline.labelling.pictures import kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sightline.data.annotations.described import Box
    from sightline.labelling.drawing import Drawing

TYPE = "rectanglelabels"


def config(classes: Sequence[str]) -> str:
    """The labelling interface: an image, and rectangles of the classes."""
    labels = "\n".join(f"    <Label value={quoteattr(name)}/>" for name in classes)
    return (
        f'<View>\n  <Image name="{IMAGE}" value="$image" zoom="true"/>\n'
        f'  <RectangleLabels name="{TAG}" toName="{IMAGE}">\n{labels}\n  </RectangleLabels>\n</View>\n'
    )


def task(one: Drawing) -> dict[str, Any]:
    """One image as a task; the name in its data tells it apart, and comes back in the export."""
    data = {"image": shown_in(kind(one.picture), one.picture), "name": one.name, "about": one.about}
    results = [_result(box, one.width, one.height) for box in one.boxes]
    suggested = [{"model_version": "sightline", "result": results}] if results else []
    return {"data": data, "predictions": suggested}


def _result(box: Box, width: int, height: int) -> dict[str, Any]:
    value = {
        "x": 100 * box.x1 / width,
        "y": 100 * box.y1 / height,
        "width": 100 * (box.x2 - box.x1) / width,
        "height": 100 * (box.y2 - box.y1) / height,
        "rotation": 0,
        TYPE: [box.label],
    }
    sides = {"original_width": width, "original_height": height, "image_rotation": 0}
    return {"from_name": TAG, "to_name": IMAGE, "type": TYPE, **sides, "value": value}


def answered(tasks: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Name of each picture → what people made of its task; those without any, or skipped by all, are left out."""
    found = {str(one["data"]["name"]): studio.answered(one.get("annotations", ())) for one in tasks}
    return {name: given for name, given in found.items() if given}
