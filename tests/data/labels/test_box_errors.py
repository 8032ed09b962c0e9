"""Likely errors among boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from sightline.data.labels.box_errors import find_box_errors
from sightline.heads.matching import MOST
from sightline.heads.targets import CLASS, NOTHING, WIDTH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.data.quality.finding import Finding, WrongBox

CLASSES = ("cat", "dog")
SIDE = 100


def answers(*boxes: tuple[float, ...]) -> np.ndarray:
    """(100, 6) of an image of SIDE pixels in a square twice as large."""
    found = np.zeros((MOST, WIDTH))
    found[:, CLASS] = NOTHING
    found[: len(boxes)] = np.array(boxes).reshape(-1, WIDTH)
    found[:, :CLASS] *= 2
    return found


def errors(label: str, *boxes: tuple[float, ...]) -> list[WrongBox]:
    """Of one image with the drawn boxes of the label and the found `boxes`: edges, class and score."""
    rows = pd.DataFrame({"path": ["a.png"], "label": [f"{SIDE}x{SIDE}{label}"]})
    found = find_box_errors(rows, answers(*boxes)[None], CLASSES, 2 * SIDE)
    return list(found.boxes) if found else []


CAT, DOG = (10, 10, 30, 30, 0, 0.9), (60, 60, 90, 90, 1, 0.9)
RIGHT = ";10 10 30 30 cat;60 60 90 90 dog"


def test_what_agrees_is_not_doubted() -> None:
    """Nor what the detector is not sure of, or finds twice."""
    assert errors(RIGHT, CAT, DOG) == []
    assert errors(RIGHT, CAT, DOG, (10, 60, 30, 80, 0, 0.3), (16, 10, 36, 30, 0, 0.9)) == []
    assert errors("", (10, 60, 30, 80, 0, 0.3)) == []


def test_an_object_without_a_box_is_missing() -> None:
    """Its class and place are told, in pixels of the image; of answers about one object the surest."""
    (one,) = errors(";60 60 90 90 dog", CAT, DOG, (11, 11, 31, 31, 1, 0.8))
    assert (one.path, one.kind, one.given, one.likely) == ("a.png", "missing", None, "cat")
    assert (one.drawn, one.found) == (None, (10, 10, 30, 30))
    assert one.words == "cat without a box"


def test_another_class_is_told() -> None:
    """Where the detector is sure of it, and not of the one that is given."""
    (one,) = errors(";10 10 30 30 dog;60 60 90 90 dog", CAT, DOG)
    assert (one.kind, one.given, one.likely, one.drawn) == ("class", "dog", "cat", (10, 10, 30, 30))
    assert errors(";10 10 30 30 dog;60 60 90 90 dog", CAT, DOG, (10, 10, 30, 30, 1, 0.7)) == []


def test_a_badly_placed_box_is_told_with_its_place() -> None:
    """And the object beside it is not called missing, too."""
    (one,) = errors(";19 19 39 39 cat;60 60 90 90 dog", CAT, DOG)
    assert (one.kind, one.given, one.likely) == ("place", "cat", "cat")
    assert (one.drawn, one.found) == ((19, 19, 39, 39), (10, 10, 30, 30))


def test_a_box_around_nothing_is_told() -> None:
    """Where not even an unsure answer is near."""
    (one,) = errors(f"{RIGHT};10 60 30 80 cat", CAT, DOG)
    assert (one.kind, one.given, one.likely, one.found) == ("nothing", "cat", None, None)
    assert errors(f"{RIGHT};10 60 30 80 cat", CAT, DOG, (12, 62, 30, 80, 1, 0.1)) == []


@pytest.mark.parametrize("mark", ["~", "?"])
def test_crowds_difficult_and_unknown_ones_are_not_judged(mark: str) -> None:
    """They are no objects that must be found, and what is found in them is not missing."""
    label = f"{RIGHT};{mark}0 50 50 100 cat;50 0 100 50 bird"
    found = (10, 60, 48, 98, 0, 0.9)
    assert errors(label, CAT, DOG, found) == []


def several(*images: tuple[str, Sequence[tuple[float, ...]]]) -> Finding | None:
    """Of images with these labels and found boxes, named by their numbers."""
    labels = [f"{SIDE}x{SIDE}{label}" for label, _ in images]
    rows = pd.DataFrame({"path": [str(number) for number in range(len(images))], "label": labels})
    return find_box_errors(rows, np.stack([answers(*found) for _, found in images]), CLASSES, 2 * SIDE)


def test_what_is_seldom_right_contradicts_nothing() -> None:
    """The same answer is an error of the label where such answers are hardly ever wrong, else of the detector."""
    alone, sure = (10, 60, 30, 80, 0, 0.99), (10, 60, 30, 80, 0, 0.6)
    fine = [(RIGHT, [(*CAT[:5], 0.98), (*DOG[:5], 0.98)])] * 97
    few = several(*fine, *[(RIGHT, [CAT, DOG, alone])] * 2, *[(RIGHT, [CAT, DOG, sure])] * 2)
    assert few is not None
    assert [one.path for one in few.boxes] == ["97", "98"]
    assert [one.doubt for one in few.boxes] == [1.0, 1.0]


def test_a_class_that_is_often_overlooked_is_not_called_nothing() -> None:
    """Where the detector finds nothing at many objects of a class, that says nothing of any of them."""
    fine = [(RIGHT, [CAT, DOG])] * 30
    some = several(*fine, *[(RIGHT, [CAT])] * 2)
    assert some is not None
    assert [one.path for one in some.boxes] == ["30", "31"]
    assert several(*fine, *[(RIGHT, [CAT])] * 6) is None


def test_images_come_by_their_doubt_and_are_counted() -> None:
    """The sentence tells each kind, and the classes that are taken for others."""
    swapped = [(*CAT[:4], 1, 0.95), (*CAT[:5], 0.2), (*DOG[:4], 0, 0.95), (10, 60, 30, 80, 0, 0.99)]
    found = several(("", []), (RIGHT, [(*CAT[:4], 1, 0.9), (*CAT[:5], 0.4), DOG]), (RIGHT, swapped))
    assert found is not None
    assert (found.cases, found.groups) == (2, (("2",), ("1",)))
    assert found.sentence.startswith(
        "4 likely errors among 4 boxes, on 2 of 3 images: 1 without a box, 3 of another class; given → likely: "
        "cat → dog (2), dog → cat (1). "
    )
