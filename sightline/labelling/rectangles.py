"""Label Studio's JSON for boxes, both ways: `label_studio` with rectangles in place of choices.

Edges are per cent of the picture: https://labelstud.io/guide/task_format, and the tag RectangleLabels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from sightline.data.annotations.described import Box, Described
from sightline.labelling.label_studio import IMAGE, TAG, shown_in
from sightline.labelling.pictures import kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sightline.labelling.drawing import Drawing

TYPE = "rectanglelabels"
SHAPES = ("rectangle", "polygon", "brush", "ellipse", "keypoint", "bitmask")
"""How the types of results begin that tell where something is."""


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
    found = {
        str(one["data"]["name"]): [given for given in one.get("annotations", ()) if not given.get("was_cancelled")]
        for one in tasks
    }
    return {name: given for name, given in found.items() if given}


def described(name: str, size: tuple[int, int], annotations: Sequence[Mapping[str, Any]]) -> Iterator[Described]:
    """What each of these annotations says of the picture `name` of that size; one without any box says that."""
    for given in annotations:
        told = f"annotation {given.get('id', '')} of Label Studio"
        boxes, reason, drawn = [], None, size
        for one in given["result"]:
            if not str(one["type"]).startswith(SHAPES):
                continue
            fault = _fault(one)
            if fault:
                reason = f"{told}: {fault}"
                continue
            boxes.append(_box(one["value"], size))
            drawn = one.get("original_width", size[0]), one.get("original_height", size[1])
        yield Described(path=name, origin=told, boxes=tuple(boxes), size=drawn, reason=reason)


def _fault(result: Mapping[str, Any]) -> str:
    """Why the shape is no box of a class; empty where it is one."""
    labels = result["value"].get(TYPE, ())
    if result["type"] != TYPE:
        return f"a {result['type']} is no rectangle with a class"
    if result["value"].get("rotation") or result.get("image_rotation"):
        return f"a {' '.join(labels)} is turned, and boxes stand upright here"
    return "" if len(labels) == 1 else f"a rectangle has {len(labels)} classes"


def _box(value: Mapping[str, Any], size: tuple[int, int]) -> Box:
    left, top = value["x"] / 100 * size[0], value["y"] / 100 * size[1]
    right, bottom = left + value["width"] / 100 * size[0], top + value["height"] / 100 * size[1]
    return Box(label=value[TYPE][0], x1=left, y1=top, x2=right, y2=bottom)
