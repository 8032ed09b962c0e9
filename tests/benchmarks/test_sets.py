"""What the accuracy benchmarks decide by."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
FILES = [
    {"path": f"{label}/{number}.png", "label": label, "group": f"{label}{number // 4}"}
    for label in "ab"
    for number in range(400)
]


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_groups_stay_on_one_side_and_salts_draw_anew() -> None:
    """All images of a group have one role, and another salt draws other test images."""
    from sets import listed

    rows = listed(FILES, 0)
    sides = {one.group: {other.split for other in rows if other.group == one.group} for one in rows}
    assert {len(side) for side in sides.values()} == {1}
    test = [{one.path for one in listed(FILES, salt) if one.split == "test"} for salt in (0, 1)]
    assert len(test[0] & test[1]) < 0.6 * len(test[0])
    assert len(test[0]) == pytest.approx(200, abs=60)


def test_few_shot_draws_so_many_of_each_class() -> None:
    """With a number per class training holds exactly so many, and the test images are those of the full set."""
    from sets import listed

    few, whole = listed(FILES, 3, per_class=5), listed(FILES, 3)
    assert sorted(one.label for one in few if one.split == "train") == ["a"] * 5 + ["b"] * 5
    assert [one for one in few if one.split == "test"] == [one for one in whole if one.split == "test"]


def test_bound_of_a_lead_is_students() -> None:
    """Three leads of 1, 2 and 3 points: mean 2, bound 2 - 2.920 / √3; a single pair bounds nothing."""
    from sets import lead

    mean, bound = lead([0.91, 0.92, 0.93], [0.9, 0.9, 0.9])
    assert (mean, bound) == pytest.approx((0.02, 0.02 - 0.01 * 2.9200 / math.sqrt(3)), abs=1e-6)
    assert math.isnan(lead([0.9], [0.8])[1])
