"""The label of an image with boxes as one text: its sides, and each box with its class.

Such as `640x480;12 30.5 60 80 cat;100 20 130 60 dog`: left, top, right and bottom edge in pixels of the upright image,
to a hundredth. An image without a box is its sides alone. `~` before a box makes it a crowd, `?` one that is difficult.
This module is what the data side knows of boxes: it imports NumPy and nothing heavier.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sightline.heads.targets import CROWD, DIFFICULT, OBJECT, WIDTH, packed
from sightline.images.placement import Placement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from sightline.images.shape import Fit

SEPARATOR = ";"
MARKS = {"": OBJECT, "?": DIFFICULT, "~": CROWD}
"""What stands before a box → its kind."""


class Box(NamedTuple):
    """One box of a label."""

    name: str
    edges: tuple[float, ...]
    kind: int


def text_of(width: int, height: int, boxes: Iterable[Box]) -> str:
    """The label of an image of these sides with these boxes, in one order whatever theirs is."""
    return SEPARATOR.join([f"{width}x{height}", *sorted(map(_line, boxes))])


def answer_of(width: int, height: int, boxes: Iterable[Box]) -> str:
    """The boxes of an answer in the same form, but in their order: the surest first."""
    return SEPARATOR.join([f"{width}x{height}", *map(_line, boxes)])


def _line(box: Box) -> str:
    mark = next(mark for mark, kind in MARKS.items() if kind == box.kind)
    return f"{mark}{' '.join(map(_number, box.edges))} {box.name}"


def _number(edge: float) -> str:
    return f"{edge:.2f}".rstrip("0").rstrip(".")


def read(text: str) -> tuple[int, int, list[Box]]:
    """Width, height and boxes of a label; raises ValueError where it is none."""
    sides, *lines = text.split(SEPARATOR)
    width, _, height = sides.partition("x")
    found = []
    for line in lines:
        mark = line[:1] if line[:1] in MARKS else ""
        *edges, name = line.removeprefix(mark).split(" ", 4)
        if len(edges) != 4 or not name:  # noqa: PLR2004 — the edges of a box
            raise ValueError(f"{line!r} is no box")
        found.append(Box(name, tuple(map(float, edges)), MARKS[mark]))
    return int(width), int(height), found


class Boxes:
    """An image shows any number of objects, each somewhere."""

    are_sets = True
    are_boxes = True
    fit: Fit | None = "letterbox"

    def spelled(self, text: str) -> str:
        """Numbers and boxes in one spelling and order; what is no label stays as it is."""
        return text if self.fault(text) else text_of(*read(text))

    def normal(self, labels: pd.Series) -> pd.Series:
        """The same of each."""
        return labels.map(self.spelled, na_action="ignore").astype(labels.dtype)

    def names(self, text: str) -> list[str]:
        """The classes of its boxes, each once."""
        return sorted({box.name for box in read(text)[2]})

    def each(self, labels: pd.Series) -> pd.Series:
        """A row for each class that an image shows."""
        return labels.dropna().map(self.names).explode().dropna().astype(labels.dtype)

    def agreed(self, texts: Sequence[str]) -> str | None:  # noqa: ARG002 — whatever they are
        """Nothing: other boxes contradict."""
        return None

    def fault(self, text: str) -> str | None:
        """Why it is no text of boxes."""
        try:
            read(text)
        except ValueError:
            return f"its label {text!r} tells no boxes, which project.task: detect learns"
        return None

    def shown(self, text: str) -> str:
        """How many objects of each class, for people."""
        return told(box.name for box in read(text)[2])

    def targets(self, labels: pd.Series, classes: Sequence[str], size: int) -> NDArray[np.float32]:
        """(N, M, 6) boxes in squares of `size` pixels, as in `targets`."""
        return targets_of(labels.tolist(), classes, size)

    def stacked(self, parts: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
        """The same for several parts, each with as many rows as its fullest image."""
        return packed([image for part in parts for image in part])

    def members(self, labels: pd.Series) -> dict[str, NDArray[np.bool_]]:
        """Of each class those that show it."""
        shown = [set(self.names(text)) for text in labels.fillna("0x0").tolist()]
        return {name: np.array([name in one for one in shown], dtype=bool) for name in sorted(set().union(*shown))}

    def questions(self, labels: pd.Series) -> list[NDArray[np.object_]]:
        """None: where a box should be is not asked this way."""
        del labels
        return []


def told(names: Iterable[str]) -> str:
    """How many boxes there are of each class, one name for each."""
    return ", ".join(f"{number} {name}" for name, number in sorted(Counter(names).items())) or "no box"


def targets_of(texts: Sequence[str], classes: Sequence[str], size: int) -> NDArray[np.float32]:
    """(N, M, 6) the boxes of these labels in squares of `size` pixels; raises KeyError for another class."""
    place = {name: number for number, name in enumerate(classes)}
    images = []
    for text in texts:
        width, height, boxes = read(text)
        rows = rows_of(boxes, place)
        rows[:, :4] = Placement(width=width, height=height, size=size).into(rows[:, :4])
        images.append(rows)
    return packed(images)


def rows_of(boxes: Sequence[Box], place: Mapping[str, int]) -> NDArray[np.float64]:
    """(k, 6) the boxes as in `targets`, in pixels of the image; `place` numbers the classes, KeyError for another."""
    found = np.array([(*box.edges, place[box.name], box.kind) for box in boxes], dtype=np.float64)
    return found.reshape(-1, WIDTH)
