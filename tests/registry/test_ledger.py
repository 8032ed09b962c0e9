"""The promotion ledger: append-only, one winner."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sightline.errors import RegistryError
from sightline.registry.ledger import PROMOTED, REFUSED, Entry, Ledger, open_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.project import Paths

FIRST = Entry(
    model="m", version="1", champion_before=None, decision=PROMOTED, actor="ann", reason="first", evidence={"p": 0.01}
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield ledger
    ledger.close()


def test_champion_is_the_last_promoted_version(ledger: Ledger) -> None:
    """A promotion changes the champion and remembers the one before; a refusal changes nothing."""
    ledger.append(FIRST)
    ledger.append(replace(FIRST, version="2", champion_before="1"))
    ledger.append(replace(FIRST, version="3", champion_before="2", decision=REFUSED))
    assert (ledger.champion("m"), ledger.previous("m")) == ("2", "1")
    assert ledger.champion("another") is None


def test_history_keeps_every_row(ledger: Ledger) -> None:
    """Every decision stands there with its evidence, oldest first."""
    ledger.append(FIRST)
    ledger.append(replace(FIRST, version="2", champion_before="1", decision=REFUSED))
    rows = ledger.history("m")
    assert [(row.version, row.decision, row.evidence) for row in rows] == [
        ("1", PROMOTED, {"p": 0.01}),
        ("2", REFUSED, {"p": 0.01}),
    ]
    assert rows[0].at


def test_stale_comparison_is_refused(ledger: Ledger) -> None:
    """A promotion whose evidence names another champion than the present one changes nothing."""
    ledger.append(FIRST)
    with pytest.raises(RegistryError, match="compared with champion none, but the champion is now 1"):
        ledger.append(replace(FIRST, version="2"))
    assert len(ledger.history("m")) == 1


def test_one_of_many_at_once_wins(tmp_path: Path) -> None:
    """Of eight promotions at the same time against the same champion exactly one is written."""
    uri = f"sqlite:///{tmp_path / 'ledger.db'}"
    Ledger(uri).append(FIRST)

    def attempt(number: int) -> bool:
        ledger = Ledger(uri)
        try:
            ledger.append(replace(FIRST, version=str(number), champion_before="1"))
        except RegistryError:
            return False
        finally:
            ledger.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        won = [number for number, good in zip(range(2, 10), pool.map(attempt, range(2, 10)), strict=True) if good]
    assert [str(number) for number in won] == [Ledger(uri).champion("m")]


def test_remote_mlflow_needs_a_shared_ledger(toy: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """With MLflow on a server the ledger must be named: a local file would not be the truth for all."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    with pytest.raises(RegistryError, match="SIGHTLINE_LEDGER_URI"):
        open_ledger(toy)
