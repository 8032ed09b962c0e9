"""What a comparison may err."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sightline.registry.blessing import OVERALL
from sightline.registry.ledger import PROMOTED, ROLLED_BACK, Entry, Ledger
from sightline.registry.wealth import following, level, nights, promotions

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.evaluate.metrics import FloatArray

FAMILY = 0.05


def each(count: int, *earned: tuple[int, float]) -> FloatArray:
    """The level of each of so many places, taken one by one."""
    places = np.arange(count)
    return level(places, places + 1, earned, FAMILY)


def test_places_share_one_family() -> None:
    """However many come, together they spend no more than the family, and each is above nothing."""
    levels = each(1_000_000)
    assert 0.95 * FAMILY < levels.sum() < FAMILY
    assert (np.diff(levels) < 0).all()
    assert levels.min() > 0


def test_year_of_comparisons_leaves_a_level_at_which_gains_are_shown() -> None:
    """The first is won below .002, and after a night for a year 17 images gained and none lost still win."""
    levels = each(365)
    assert 0.001 < levels[0] < 0.002
    assert levels[-1] > 0.5**17


def age(database: Path, version: str, days: int) -> None:
    """As if the row of that version had been written so many days ago."""
    at = (datetime.now(UTC) - timedelta(days=days, hours=1)).isoformat(timespec="seconds")
    with sqlite3.connect(database) as store:
        store.execute("update promotions set at = ?, seal = null where version = ?", (at, version))


def test_nights_without_a_comparison_fall_to_the_next(tmp_path: Path) -> None:
    """A comparison after a month has what its nights would have had together; a second one on that day a night's."""
    assert level(0, 30, [(10, 0.5)], FAMILY) == pytest.approx(each(30, (10, 0.5)).sum())
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    assert nights(ledger, "m") == 0
    for number, days in (("1", 30), ("2", 3)):
        ledger.append(entry(number, None if number == "1" else "1", PROMOTED, "passed"))
        age(tmp_path / "ledger.db", number, days)
    assert nights(ledger, "m") == 30
    assert following(ledger, "m", FAMILY) == pytest.approx(level(0, 30, [], FAMILY))
    assert ledger.comparisons.spend("m", "r1", "3", "2", "better", 30) == (0, 30)
    assert following(ledger, "m", FAMILY) == pytest.approx(level(30, 31, [], FAMILY))
    assert ledger.comparisons.spend("m", "r1", "4", "2", "better", 30) == (30, 31)
    assert ledger.comparisons.spend("m", "r1", "3", "2", "better", 90) == (0, 30)
    ledger.close()


def test_what_was_earned_counts_from_its_place_on() -> None:
    """A promotion after place 40 gives the 41st comparison what the first one had as well, and changes none before."""
    plain, richer = each(60), each(60, (40, 1.0), (50, 0.2))
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
