"""What a score of all images together gains, and how sure that is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sightline.heads.gained import Gained

FOUND = Gained(what="AP", own=0.43, other=0.40, error=0.01, groups=200)


def test_p_follows_from_the_error() -> None:
    """Three errors above nothing, two above a point, and as far from being harm."""
    assert FOUND.better == pytest.approx(0.0015, abs=1e-4)
    assert FOUND.above(0.01) == pytest.approx(0.0234, abs=1e-3)
    assert FOUND.harm == pytest.approx(1 - FOUND.better)
    assert FOUND.low(0.05) == pytest.approx(0.03 - 1.6525 * 0.01, abs=1e-5)
    assert FOUND.seen == "AP +3.0 points"


def test_few_groups_show_little() -> None:
    """However large a difference is: five groups could be tossed to one side once in 32 times."""
    assert replace(FOUND, own=0.9, groups=5).better == pytest.approx(1 / 32)
    assert replace(FOUND, groups=8).better > FOUND.better


def test_models_that_answer_alike_gain_nothing() -> None:
    """Nothing is better or worse, but all is above a loss."""
    same = replace(FOUND, own=0.4, error=0.0)
    assert (same.better, same.harm) == (1.0, 1.0)
    assert same.above(-0.01) < 1e-9
    assert same.low(0.01) == 0
