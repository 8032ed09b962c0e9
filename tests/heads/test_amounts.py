"""How many boxes there are, how sure and how large."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.heads.amounts import amount_names, amounts
from sightline.heads.answer import Seen

CLASSES = ("green", "red")


def test_numbers_of_an_answer() -> None:
    """Of a picture of 100 by 50 pixels; without a box all are 0, and none covers more than everything."""
    some = [Seen("red", 0.9, 0, 0, 20, 10), Seen("red", 0.7, 0, 0, 50, 50), Seen("green", 0.8, 50, 0, 60, 5)]
    found = amounts([some, [], [some[1]] * 3], np.array([[100, 50], [100, 50], [100, 50]]), CLASSES)
    named = dict(zip(amount_names(CLASSES), found[0].tolist(), strict=True))
    assert named == {
        "boxes": 3,
        "mean score of boxes": pytest.approx(0.8),
        "median side of boxes": pytest.approx(0.2),
        "covered by boxes": pytest.approx(0.55),
        "boxes of green": 1,
        "boxes of red": 2,
    }
    assert not found[1].any()
    assert found[2, 3] == 1


def test_many_classes_are_counted_together() -> None:
    """A number for each of a hundred classes would be a hundred more to bet on."""
    many = [str(number) for number in range(100)]
    assert len(amount_names(many)) == 4
    assert amounts([[Seen("7", 0.5, 0, 0, 1, 1)]], np.array([[2, 2]]), many).tolist() == [[1.0, 0.5, 0.5, 0.25]]
