"""What an annotation file says of one image: its boxes, in pixels of the upright image."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sightline.data.sources.cells import text
from sightline.data.sources.label_sets import THERE
from sightline.heads.located import Box as Located
from sightline.heads.targets import CROWD, DIFFICULT, OBJECT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Edges = tuple[float, float, float, float]
"""Left, top, right, bottom."""

TURNED = "is turned, and boxes stand upright here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One object: left, top, right and bottom edge, counted in pixels from the image's upper left corner."""

    label: str
    x1: float
    y1: float
    x2: float
    y2: float
    crowd: bool = False
    """Around many objects that nobody told apart (COCO's `iscrowd`)."""
    difficult: bool = False
    """Neither asked for nor counted against an answer (VOC's `difficult`)."""

    def __post_init__(self) -> None:
        """Give the class its one spelling: é may be typed as one sign or as two."""
        object.__setattr__(self, "label", unicodedata.normalize("NFC", self.label))

    @classmethod
    def at(cls, label: str, edges: Edges) -> Self:
        """An object of that class between these edges."""
        x1, y1, x2, y2 = edges
        return cls(label=label, x1=x1, y1=y1, x2=x2, y2=y2)

    @property
    def edges(self) -> Edges:
        """Left, top, right, bottom."""
        return self.x1, self.y1, self.x2, self.y2

    @property
    def located(self) -> Located:
        """As a label of the manifest has it."""
        return Located(self.label, self.edges, CROWD if self.crowd else DIFFICULT if self.difficult else OBJECT)

    @classmethod
    def of(cls, box: Located) -> Self:
        """The box of a label."""
        x1, y1, x2, y2 = box.edges
        crowd, difficult = box.kind == CROWD, box.kind == DIFFICULT
        return cls(label=box.name, x1=x1, y1=y1, x2=x2, y2=y2, crowd=crowd, difficult=difficult)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """An image as one annotation file describes it."""

    path: str
    """Of the image, relative to the folder, with forward slashes."""
    origin: str
    """The annotation file, relative to the folder; empty where the format lets an image without one have no box."""
    boxes: tuple[Box, ...] = ()
    size: tuple[int, int] | None = None
    """Width and height of the image that the boxes were drawn on, where the file tells."""
    split: str | None = None
    group: str | None = None
    """What it belongs together with, where the file tells."""
    reason: str | None = None
    """Why the image cannot be used, where the file already shows it."""


def is_set(flag: Any) -> bool:
    """Whether a flag is, which exporters write as numbers, as truths and as texts."""
    return THERE.get(text(flag).lower(), False)


FAULTS = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)
"""What reading raises where a file holds something else than its form has there."""


class Shapeless(ValueError):
    """What a file tells of one object is no upright box of a class; the text goes on behind "object 2 of a.json"."""


def boxed(
    shapes: Iterable[Any], label: Callable[[Any], str], edges: Callable[[Any], Edges], told: str
) -> tuple[tuple[Box, ...], str | None]:
    """The boxes of the objects that an annotation, `told` in messages, tells; why not each of them has one.

    `label` and `edges` read one object, and raise Shapeless, or what reading a broken one raises.
    """
    boxes, reasons = [], []
    if isinstance(shapes, Mapping | str) or not isinstance(shapes, Iterable):
        return (), f"the objects of {told} are no list"
    for number, shape in enumerate(shapes, start=1):
        try:
            box = Box.at(label(shape).strip(), edges(shape))
        except Shapeless as error:
            reasons.append(f"object {number} of {told} {error}")
        except FAULTS:
            reasons.append(f"object {number} of {told} has no box around it")
        else:
            boxes.append(box)
            if not box.label:
                reasons.append(f"object {number} of {told} has no label")
    return tuple(boxes), next(iter(reasons), None)


def size_of(width: Any, height: Any) -> tuple[int, int] | None:
    """Pixels of the image that boxes were drawn on, as a file tells them; None where it tells none."""
    try:
        across, down = int(float(width)), int(float(height))
    except (TypeError, ValueError, OverflowError):
        return None
    return (across, down) if across and down else None


def around(points: Sequence[tuple[float, ...]]) -> Edges:
    """The edges of the box around an outline; no numbers where one of its own is none.

    Raises ValueError where there is no point, or one of them is none.
    """
    across, down = zip(*((x, y) for x, y in points), strict=True)
    # The smallest of numbers and NaN would depend on their order.
    if not all(map(math.isfinite, (*across, *down))):
        return (math.nan,) * 4
    return min(across), min(down), max(across), max(down)
