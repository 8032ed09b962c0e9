"""A table with a row for each box, .csv, .tsv or .jsonl; or JSON lines with all objects of an image (Hugging Face).

The edges are columns `xmin, ymin, xmax, ymax`, or `x, y, width, height` of the upper left corner and the sides, or one
cell `bbox` of left, top, width and height as COCO's. Where none is above `SHARES` they are shares of the image's sides.
A row without edges says that nothing is on its image. Flags, `iscrowd` (`IsGroupOf`) and `difficult`, are columns of 0
and 1. Tables of answers, which have scores, are left alone.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from sightline.data.annotations.described import Box, Described, is_set, size_of
from sightline.data.annotations.tree import split_in
from sightline.data.sources import cells
from sightline.data.sources.cells import COLUMNS, LABEL, text
from sightline.data.sources.item import split_of
from sightline.data.sources.label_sets import BY_COLUMNS, CATEGORIES
from sightline.data.sources.tables import NO_ANSWERS, split_given
from sightline.data.sources.tables import SUFFIXES as TABLES
from sightline.errors import DataError
from sightline.images.reading import UnreadableImage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from sightline.data.annotations.described import Edges
    from sightline.data.annotations.tree import Tree

    Row = Mapping[str, Any]
    Spellings = Mapping[str, tuple[tuple[str, ...], ...]]

SHARES = 1.5
"""No edge of a table in pixels lies all that near to the corner; a share may be a little beyond 1."""


def _corners(row: Row) -> Edges:
    return float(row["x1"]), float(row["y1"]), float(row["x2"]), float(row["y2"])


def _sides(row: Row) -> Edges:
    left, top = float(row["x"]), float(row["y"])
    return left, top, left + float(row["w"]), top + float(row["h"])


def _cell(row: Row) -> Edges:
    return _edges(row["bbox"])


def _edges(bbox: Any) -> Edges:
    """Of left, top, width and height, as a list or a text of one. Raises ValueError and TypeError where it is none."""
    found = bbox if isinstance(bbox, list) else str(bbox).strip("[]() ").replace(",", " ").split()
    left, top, width, height = map(float, found)
    return left, top, left + width, top + height


class _Way(NamedTuple):
    """Which columns hold a box."""

    edges: Spellings
    others: tuple[str, ...]
    """What may be there beside path, split and edges."""
    box: Callable[[Row], Edges] | None = None
    """None where a row has all objects of its image."""


ALL: Spellings = {
    **COLUMNS,
    "width": (("image_width", "img_width"),),
    "height": (("image_height", "img_height"),),
}
SIZE = ("width", "height")
FLAGS: Spellings = {"crowd": (("iscrowd", "is_crowd", "isgroupof", "is_group_of"),), "difficult": (("is_difficult",),)}
SCORE = "score"
SCORES: Spellings = {SCORE: (("confidence", "conf", "probability", "prob"),)}
"""Tables with one of these are some model's answers, and nobody's labels."""
SURE = "1"
"""In each row of Open Images' own boxes, which people drew."""
WAYS = (
    _Way(
        {
            "x1": (("xmin", "x_min", "left", "bbox_x1", "bbox_xmin"),),
            "y1": (("ymin", "y_min", "top", "bbox_y1", "bbox_ymin"),),
            "x2": (("xmax", "x_max", "right", "bbox_x2", "bbox_xmax"),),
            "y2": (("ymax", "y_max", "bottom", "bbox_y2", "bbox_ymax"),),
        },
        (LABEL, *SIZE),
        _corners,
    ),
    _Way(
        {
            "x": (("left", "xmin", "x_min", "x1", "bbox_x"),),
            "y": (("top", "ymin", "y_min", "y1", "bbox_y"),),
            "w": (("width", "box_width", "bbox_width", "bbox_w"),),
            "h": (("height", "box_height", "bbox_height", "bbox_h"),),
        },
        (LABEL,),
        _sides,
    ),
    _Way({"bbox": (("box", "bounding_box"),)}, (LABEL, *SIZE), _cell),
    _Way({"objects": ()}, SIZE),
)


@dataclass
class _Told:
    """What the rows of a table say of one image."""

    boxes: list[Box] = field(default_factory=list)
    size: tuple[int, int] | None = None
    split: str | None = None
    group: str | None = None
    reason: str | None = None


def files(tree: Tree) -> list[str]:
    """The tables whose columns are those of boxes."""
    found = [path for path in tree.texts_named(*TABLES) if is_one(tree.folder / path)]
    return [path for path in found if not NO_ANSWERS.search(path.rpartition("/")[2])] or found


def is_one(table: Path) -> bool:
    """Whether it is a table of boxes."""
    return _opened(table) is not None


def read(tree: Tree) -> Iterator[Described]:
    """Each image of each table. Raises DataError, with the line, where a table is broken as a whole."""
    for path in files(tree):
        yield from _read(tree, path)


def _opened(table: Path) -> tuple[_Way, Iterator[cells.Row]] | None:
    """How the table tells boxes, and its rows."""
    for way in WAYS:
        # Edges first: `y` is a label to others.
        ours = {name: ALL[name] for name in ("path", *way.others, "split", "group")}
        known = {**way.edges, **ours, **FLAGS, **SCORES}
        wanted = ("path", *way.edges, *[name for name in way.others if name == LABEL])
        with suppress(DataError):
            first = next(cells.sheet(table, known, wanted).rows, None)
            if first is None or first[1].get(BY_COLUMNS):
                continue
            again = cells.sheet(table, known, wanted).rows
            if SCORE not in first[1] or all(text(row.get(SCORE)) == SURE for _, row in again):
                return way, cells.sheet(table, known, wanted).rows
    return None


def _read(tree: Tree, path: str) -> Iterator[Described]:
    table = tree.folder / path
    opened = _opened(table)
    if opened is None:
        return
    way, rows = opened
    place, _, file = path.rpartition("/")
    named = split_of(file.rpartition(".")[0]) or split_in(path)
    images: dict[str, _Told] = defaultdict(_Told)
    for line, row in rows:
        name, where = text(row.get("path")), f"line {line} of {path}"
        told = images[name or where]
        if not name:
            told.reason = f"{where} names no image"
        _add(told, row, way, where)
        split, group = split_given(table, line, text(row.get("split"))), text(row.get("group"))
        if split and told.split not in {None, split}:
            told.reason = told.reason or f"{where} has it in {split}, one before in {told.split}"
        if group and told.group not in {None, group}:
            told.reason = told.reason or f"{where} has it in group {group!r}, one before in {told.group!r}"
        told.split, told.group = told.split or split, told.group or group or None
    edges = [edge for told in images.values() for box in told.boxes for edge in box.edges]
    shares = bool(edges) and max(edges) <= SHARES
    for name, told in images.items():
        image, reason = tree.find(name, place, told.split or named)
        scale = _scale(tree, image) if shares and reason is None else (1.0, 1.0)
        yield Described(
            path=image,
            origin=path,
            boxes=tuple(_scaled(box, *scale) for box in told.boxes),
            size=told.size,
            split=told.split or split_in(image) or named,
            group=told.group,
            reason=told.reason or reason,
        )


def _add(told: _Told, row: Row, way: _Way, where: str) -> None:
    """The boxes of a row to those of its image, or why they cannot be read."""
    told.size = size_of(*map(row.get, SIZE)) or told.size
    if way.box is None:
        told.reason = told.reason or _add_objects(told, row["objects"], where)
        return
    label = text(row.get(LABEL))
    if not any(text(row.get(name)) for name in way.edges):
        if label:
            told.reason = told.reason or f"{where} names {label!r}, but no edges"
        return
    try:
        crowd, difficult = (is_set(row.get(flag)) for flag in FLAGS)
        told.boxes.append(replace(Box.at(label, way.box(row)), crowd=crowd, difficult=difficult))
    except (KeyError, TypeError, ValueError):
        told.reason = told.reason or f"{where}: its edges are no four numbers"
    if not label:
        told.reason = told.reason or f"{where} names no class"


def _add_objects(told: _Told, objects: Any, where: str) -> str | None:
    """All objects of an image: lists of boxes and of classes. Why they cannot be read."""
    boxes = objects.get("bbox") if isinstance(objects, dict) else None
    kinds = next((objects[name] for name in CATEGORIES if isinstance(objects.get(name), list)), None) if boxes else []
    if not isinstance(boxes, list) or kinds is None or len(kinds) != len(boxes):
        return f"{where}: its objects are no lists of equal length, `bbox` and `categories`"
    try:
        told.boxes += [Box.at(text(kind), _edges(box)) for kind, box in zip(kinds, boxes, strict=True)]
    except (TypeError, ValueError):
        return f"{where}: one of its boxes is no four numbers"
    return None if all(map(text, kinds)) else f"{where}: one of its objects has no class"


def _scale(tree: Tree, image: str) -> tuple[float, float]:
    """Sides of an image whose boxes are shares of them; what cannot be read is quarantined, whatever its boxes are."""
    try:
        width, height = tree.size(image)
    except UnreadableImage:
        return 1.0, 1.0
    return float(width), float(height)


def _scaled(box: Box, width: float, height: float) -> Box:
    return replace(box, x1=box.x1 * width, y1=box.y1 * height, x2=box.x2 * width, y2=box.y2 * height)
