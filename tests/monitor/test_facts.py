"""Facts for the retrain policy, out of a real store and a real ledger whose clocks were wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from sightline.monitor.facts import _champion, gather
from sightline.registry import ledger as ledgers
from sightline.registry.ledger import PROMOTED, REFUSED, Entry
from sightline.registry.opening import open_ledger
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from datetime import tzinfo

    from sightline.project import Paths

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def trained(paths: Paths, began: datetime, ended: datetime) -> None:
    """A training of that time, as a flow leaves it."""
    tracker = connect(paths)
    start, end = (int(one.timestamp() * 1000) for one in (began, ended))
    run = tracker.client.create_run(tracker.experiment, start_time=start, tags={"prefect.flow": "train"}).info.run_id
    tracker.client.set_terminated(run, end_time=end)


def test_a_training_of_the_future_holds_nothing_up(toy: Paths) -> None:
    """One that began while a clock was ahead is told, and neither its beginning nor its hours count."""
    trained(toy, NOW + 8784 * HOUR, NOW + 8790 * HOUR)
    facts = gather(toy, NOW)
    assert (facts.since, facts.spent, facts.clock_ahead) == (None, 0.0, 1)
    trained(toy, NOW - 20 * HOUR, NOW - 18 * HOUR)
    facts = gather(toy, NOW)
    assert (facts.since, facts.spent, facts.clock_ahead) == (20.0, 2.0, 1)


def test_a_clock_that_was_set_in_a_training_takes_no_hours(toy: Paths) -> None:
    """Neither one that ends before it began, nor one that ends in the future, counts other than until now."""
    trained(toy, NOW - 20 * HOUR, NOW - 40 * HOUR)
    trained(toy, NOW - 3 * HOUR, NOW + 8784 * HOUR)
    assert gather(toy, NOW).spent == pytest.approx(3.0)


class Ahead(datetime):
    """A clock that is a year ahead."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Ahead:
        """Its time."""
        return cls.fromtimestamp(datetime.now(tz).timestamp() + 365 * 86_400, tz)


def test_a_champion_of_the_future_is_as_old_as_later_rows_tell(toy: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was champion by the time of each row after its own."""
    ledger, tracker = open_ledger(toy), connect(toy)
    row = Entry(
        model=tracker.classifier_model, version="1", champion_before=None, decision=PROMOTED, actor="a", reason="b"
    )
    with monkeypatch.context() as patch:
        patch.setattr(ledgers, "datetime", Ahead)
        ledger.append(row)
    (first,) = ledger.history(tracker.classifier_model)
    assert _champion(toy, tracker) == ("1", datetime.fromisoformat(first.at))
    ledger.append(replace(row, version="2", decision=REFUSED))
    ledger.close()
    version, since = _champion(toy, tracker)
    assert (version, since is not None and since < datetime.now(UTC)) == ("1", True)
