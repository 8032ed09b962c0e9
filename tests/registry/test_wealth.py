"""What a comparison may err."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sightline.registry.blessing import OVERALL
from sightline.registry.ledger import PROMOTED, ROLLED_BACK, Entry, Ledger
from sightline.registry.wealth import level, promotions

if TYPE_CHECKING:
    from pathlib import Path

FAMILY = 0.05


def test_places_share_one_family() -> None:
    """However many come, together they spend no more than the family, and each is above nothing."""
    levels = level(np.arange(1, 1_000_001), [], FAMILY)
    assert 0.95 * FAMILY < levels.sum() < FAMILY
    assert (np.diff(levels) < 0).all()
    assert levels.min() > 0


def test_year_of_comparisons_leaves_a_level_at_which_gains_are_shown() -> None:
    """The first is won below .002, and after a night for a year 17 images gained and none lost still win."""
    first, last = level(np.array([1, 365]), [], FAMILY)
    assert 0.001 < first < 0.002
    assert last > 0.5**17


def test_what_was_earned_counts_from_its_place_on() -> None:
    """A promotion after place 40 gives the 41st comparison what the first one had as well, and changes none before."""
    plain = level(np.arange(1, 61), [], FAMILY)
    richer = level(np.arange(1, 61), [(40, 1.0), (50, 0.2)], FAMILY)
    assert richer[:40] == pytest.approx(plain[:40])
    assert richer[40] == pytest.approx(plain[40] + plain[0])
    assert richer[50] == pytest.approx(plain[50] + plain[10] + 0.2 * plain[0])


def entry(version: str, champion: str | None, decision: str, verdict: str, **figures: float) -> Entry:
    overall = {"name": OVERALL, "verdict": verdict, "figures": figures}
    return Entry(
        model="m",
        version=version,
        champion_before=champion,
        decision=decision,
        actor="ann",
        reason="test",
        evidence={"blessings": [overall]} if decision == PROMOTED else {},
    )


def test_promotions_that_were_shown_earn(tmp_path: Path) -> None:
    """A first champion, one by override, one by the count of before and a rollback earn nothing."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    for one in (
        entry("1", None, PROMOTED, "passed"),
        entry("2", "1", PROMOTED, "passed", place=7),
        entry("3", "2", PROMOTED, "insufficient", place=9, level=0.001),
        entry("4", "3", PROMOTED, "passed", place=12, level=0.001),
        entry("3", "4", ROLLED_BACK, ""),
    ):
        ledger.append(one)
    assert promotions(ledger, "m") == [(12, 1.0)]
    ledger.close()
