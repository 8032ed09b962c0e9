"""Label Studio's JSON, whole or "min": tasks, each with an image and what people drew on it in per cent of its sides.

Of outlines and ellipses the box around each is taken. What several people say must agree; tasks that nobody answered,
or that were skipped, wait for a label. https://labelstud.io/guide/task_format
"""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from sightline.data.annotations.described import FAULTS, TURNED, Described, Shapeless, around, boxed, size_of
from sightline.data.annotations.tree import split_in
from sightline.data.sources import studio
from sightline.images.reading import UnreadableImage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sightline.data.annotations.described import Edges
    from sightline.data.annotations.tree import Tree

SHAPES = ("rectangle", "polygon", "ellipse", "brush", "keypoint", "bitmask")
"""How the types of results begin that tell where something is."""
BEGINS = re.compile(rb'^(?:\xef\xbb\xbf)?\s*\[.*"(%s)labels"' % "|".join(SHAPES).encode(), re.DOTALL)


class Tag(NamedTuple):
    """A result, on an image of this width and height."""

    result: Mapping[str, Any]
    size: tuple[int, int]


def files(tree: Tree) -> list[str]:
    """The files of this form, as their beginnings show."""
    return tree.texts_that(BEGINS, ".json")


def read(tree: Tree) -> Iterator[Described]:
    """What each person says of the image of each task. Raises DataError where a file is broken."""
    for path in files(tree):
        for number, task in enumerate(tree.whole(path, list), start=1):
            told = f"task {task.get('id', number) if isinstance(task, dict) else number} of {path}"
            try:
                yield from _read(tree, path, task, told)
            except FAULTS:
                yield Described(path=told, origin=path, reason=f"{told} is no task as Label Studio exports them")


def _read(tree: Tree, path: str, task: Mapping[str, Any], told: str) -> Iterator[Described]:
    image, reason = _image(tree, task.get("data", task), path, told)
    size = (1, 1)
    try:
        size = size if reason else tree.size(image)
    except UnreadableImage as error:
        reason = str(error)
    for one in studio.answered(task.get("annotations", ())) if "data" in task else [_of_min(task)]:
        yield described(image, path, told, size, one, reason)


def described(
    path: str, origin: str, told: str, size: tuple[int, int], annotation: Mapping[str, Any], reason: str | None = None
) -> Described:
    """What an annotation, `told` in messages, says of the image `path` of that size; without a box it says that."""
    results = [one for one in annotation["result"] if str(one["type"]).startswith(SHAPES)]
    boxes, fault = boxed((Tag(one, size) for one in results), _label, _edges, told)
    drawn = [size_of(one.get("original_width"), one.get("original_height")) for one in results]
    return Described(
        path=path,
        origin=origin,
        boxes=boxes,
        size=next(filter(None, drawn), None),
        split=split_in(path) or split_in(origin),
        reason=reason or fault,
    )


def _image(tree: Tree, data: Mapping[str, Any], path: str, told: str) -> tuple[str, str | None]:
    """The image of a task; and why it is none."""
    name = studio.image_of(data)
    if not name:
        return told, f"{told} names no image"
    reason = None
    for one in [*studio.names(name)] or [name]:
        image, reason = tree.find(one, path.rpartition("/")[0], split_in(path))
        if reason is None:
            return image, None
    return told, f"{told}: {reason}"


def _of_min(task: Mapping[str, Any]) -> dict[str, Any]:
    """The annotation of a task of the form "min", where the shapes lie among the rest."""
    listed = chain.from_iterable(value for value in task.values() if isinstance(value, list))
    shapes = [one for one in listed if isinstance(one, dict)]
    # A shape that nobody named is one all the same: without it the image would teach that nothing is there.
    kinds = [(next((key for key in one if key.endswith("labels")), SHAPES[0]), one) for one in shapes]
    return {"result": [{**one, "type": kind, "value": one} for kind, one in kinds]}


def _label(tag: Tag) -> str:
    labels = tag.result["value"].get(tag.result["type"]) or ()
    if len(labels) > 1:
        raise Shapeless(f"has {len(labels)} classes")
    return "".join(labels)


def _edges(tag: Tag) -> Edges:
    value, kind = tag.result["value"], tag.result["type"]
    if value.get("rotation") or tag.result.get("image_rotation"):
        raise Shapeless(TURNED)
    if kind.startswith("rectangle"):
        left, top, width, height = (float(value[name]) for name in ("x", "y", "width", "height"))
        edges = left, top, left + width, top + height
    elif kind.startswith("ellipse"):
        x, y, across, down = (float(value[name]) for name in ("x", "y", "radiusX", "radiusY"))
        edges = x - across, y - down, x + across, y + down
    elif kind.startswith("polygon"):
        edges = around([(float(x), float(y)) for x, y in value["points"]])
    else:
        raise Shapeless(f"is a {kind.removesuffix('labels')}, and has no box around it")
    across, down = tag.size
    return edges[0] / 100 * across, edges[1] / 100 * down, edges[2] / 100 * across, edges[3] / 100 * down
