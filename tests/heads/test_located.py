"""Labels that tell boxes: their text, and what the data side and training make of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sightline.heads.labels import DETECT, LABELS
from sightline.heads.located import Box, read, targets_of, text_of
from sightline.heads.targets import CLASS, CROWD, DIFFICULT, NOTHING, OBJECT

BOXES = [Box("white cell", (1.254, 2, 30, 40.5), OBJECT), Box("a b", (0, 0, 5, 6), CROWD), Box("a b", (1, 1, 9, 9), 1)]
TEXT = "64x48;0 0 5 6 a b"
LABEL = LABELS[DETECT]


def series(*texts: str | None) -> pd.Series:
    return pd.Series(list(texts), dtype="string")


def test_text_is_read_as_it_was_written() -> None:
    """To a hundredth of a pixel, whatever blanks a name holds, in one order whatever theirs was."""
    text = text_of(64, 48, BOXES)
    assert text == text_of(64, 48, reversed(BOXES))
    width, height, boxes = read(text)
    assert (width, height) == (64, 48)
    assert {box.name: box.edges for box in boxes if box.kind == OBJECT} == {"white cell": (1.25, 2, 30, 40.5)}
    assert sorted(box.kind for box in boxes) == [OBJECT, DIFFICULT, CROWD]
    assert read("64x48") == (64, 48, [])


@pytest.mark.parametrize("text", ["red", "red;green", "64x48;1 2 3 red", "64x48;1 2 3 4 ", "x;1 2 3 4 red"])
def test_what_tells_no_boxes_is_told(text: str) -> None:
    """A class or a set of them is no label here."""
    assert "tells no boxes" in str(LABEL.fault(text))


def test_classes_of_images() -> None:
    """An image counts once for each class that it shows, one without a box for none."""
    labels = series("64x48;1 1 2 2 red;3 3 4 4 red;3 3 4 4 blue", "64x48", None, "64x48;1 1 2 2 red")
    assert LABEL.each(labels).tolist() == ["blue", "red", "red"]
    members = LABEL.members(labels)
    assert {name: inside.tolist() for name, inside in members.items()} == {
        "blue": [True, False, False, False],
        "red": [True, False, False, True],
    }
    assert LABEL.shown(labels[0]) == "1 blue, 2 red"
    assert LABEL.shown(labels[1]) == "no box"


def test_other_boxes_on_a_copy_contradict() -> None:
    """Nobody knows which of them are right; the same boxes in another order are one label."""
    assert LABEL.agreed(["64x48;1 1 2 2 red", "64x48"]) is None
    first, second = LABEL.normal(series("9x9;3 3 4 4 b;1 1 2 2.000 a", "9x9;1 1 2 2 a;3.0 3 4 4 b"))
    assert first == second


def test_targets_lie_in_the_square() -> None:
    """The longer side fills it; what a part of a set needs fewer rows for is filled up with none."""
    wide = LABEL.targets(series("100x50;0 0 100 50 red"), ["blue", "red"], 200)
    assert wide[0, 0].tolist() == [0, 50, 200, 150, 1, OBJECT]
    both = LABEL.stacked([wide, LABEL.targets(series("100x50"), ["blue", "red"], 200)])
    assert both.shape == (2, 1, 6)
    assert np.asarray(both)[1, 0, CLASS] == NOTHING
    with pytest.raises(KeyError):
        targets_of([TEXT], ["red"], 64)
