"""The promotion ledger: append-only, one winner."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from sightline.errors import RegistryError
from sightline.registry.ledger import PROMOTED, REFUSED, Entry, Identity, Ledger, open_ledger

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


OLD = """
CREATE TABLE promotions (id INTEGER PRIMARY KEY, at VARCHAR NOT NULL, model VARCHAR NOT NULL, version VARCHAR NOT NULL,
 champion_before VARCHAR, decision VARCHAR NOT NULL, actor VARCHAR NOT NULL, reason VARCHAR NOT NULL,
 evidence VARCHAR NOT NULL, change INTEGER, UNIQUE (model, change))
"""
"""The table as it was before it had a column for bundles."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A ledger of that time with one champion."""
    file = tmp_path / "ledger.db"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(OLD)
        row = "INSERT INTO promotions VALUES (1, 'then', 'm', '1', NULL, 'promoted', 'ann', 'first', ?, 1)"
        connection.execute(row, ['{"bound": {"weights": "w"}}'])
    return file


def test_ledger_of_an_earlier_release_gets_the_column(old: Path) -> None:
    """Its rows are read as they were, by several at once, and new rows name their bundle."""
    uri = f"sqlite:///{old}"

    def champion(_: int) -> Identity | None:
        ledger = Ledger(uri)
        try:
            return ledger.standing("m").champion
        finally:
            ledger.close()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(champion, range(8))) == {Identity("1", None, "w")}
    ledger = Ledger(uri)
    ledger.append(replace(FIRST, version="2", champion_before="1", bundle="b"))
    assert [row.bundle for row in ledger.history("m")] == [None, "b"]
    assert ledger.identity("m", "2") == Identity("2", "b", None)
    ledger.close()


def test_column_that_another_process_adds_meanwhile_is_taken(old: Path) -> None:
    """Between the look and the change another process may be first."""

    def be_first(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("ALTER TABLE"):
            with closing(sqlite3.connect(old)) as connection, connection:
                connection.execute(statement)

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", be_first)
    try:
        ledger = Ledger(f"sqlite:///{old}")
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", be_first)
    assert ledger.champion("m") == "1"
    ledger.close()


def test_identity_is_that_of_the_last_change(ledger: Ledger) -> None:
    """What was refused later under a champion's number does not stand for the champion."""
    ledger.append(replace(FIRST, bundle="b"))
    ledger.append(replace(FIRST, champion_before="1", decision=REFUSED, bundle="another"))
    assert ledger.identity("m", "1") == Identity("1", "b", None)
    ledger.append(replace(FIRST, version="2", champion_before="1", decision=REFUSED, bundle="c"))
    assert ledger.identity("m", "2") == Identity("2", "c", None)
    assert ledger.identity("m", "3") is None


def test_remote_mlflow_needs_a_shared_ledger(toy: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """With MLflow on a server the ledger must be named: a local file would not be the truth for all."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    with pytest.raises(RegistryError, match="SIGHTLINE_LEDGER_URI"):
        open_ledger(toy)


def test_changed_row_is_refused(tmp_path: Path) -> None:
    """A row in which a version, a digest or a decision became another one is not believed; older ones have no seal."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    ledger.append(replace(FIRST, bundle="b" * 64))
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as store:
        for change in ("version = '7'", "bundle = 'c'", "decision = 'rolled back'", "evidence = '{}'", "seal = 'x'"):
            (whole,) = store.execute("select version, bundle, decision, evidence, seal from promotions").fetchall()
            store.execute(f"update promotions set {change}")  # noqa: S608 — constants
            store.commit()
            for ask in (ledger.standing, ledger.history, ledger.champion):
                with pytest.raises(RegistryError, match=r"row 1 of the promotion ledger .* was changed"):
                    ask("m")
            store.execute("update promotions set version = ?, bundle = ?, decision = ?, evidence = ?, seal = ?", whole)
            store.commit()
        assert ledger.champion("m") == "1"
        store.execute("update promotions set seal = null")
        store.commit()
    assert ledger.champion("m") == "1"
    ledger.close()


@pytest.mark.parametrize("harm", ["cut", "page", "header", "empty"])
def test_damaged_ledger_is_told_with_the_remedy(toy: Paths, harm: str) -> None:
    """A file that is no whole database any more is a sentence, and no new, empty ledger."""
    ledger = open_ledger(toy)
    for number in range(40):
        ledger.append(replace(FIRST, decision=REFUSED, version=str(number), evidence={"text": "x" * 400}))
    ledger.close()
    file = toy.mlflow / "ledger.db"
    data = file.read_bytes()
    file.write_bytes(
        {
            "cut": data[: len(data) // 2],
            "page": data[:4096] + bytes(4096) + data[8192:],
            "header": b"x" + data[1:],
            "empty": b"",
        }[harm]
    )
    with pytest.raises(RegistryError, match=r"ledger at .*ledger.db is damaged .*Put a copy of it back"):
        open_ledger(toy)
