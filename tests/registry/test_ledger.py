"""The promotion ledger: append-only, one winner."""

from __future__ import annotations

import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from threading import Barrier
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from servers import postgres

from sightline.errors import RegistryError
from sightline.files import write_atomically
from sightline.registry.ledger import PROMOTED, REFUSED, Entry, Identity, Ledger
from sightline.registry.opening import history, open_ledger, uncrowned
from sightline.tracking import databases

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.project import Paths

FIRST = Entry(
    model="m", version="1", champion_before=None, decision=PROMOTED, actor="ann", reason="first", evidence={"p": 0.01}
)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A database of a real PostgreSQL."""
    with postgres("ledger") as (address,):
        yield address


@pytest.fixture(params=["sqlite", "postgresql"])
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    address = str(request.getfixturevalue("server"))
    execute(address, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return address


def execute(uri: str, *statements: str, **values: str) -> None:
    engine = sa.create_engine(uri, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement), values if ":" in statement else {})


@pytest.fixture
def ledger(uri: str) -> Iterator[Ledger]:
    ledger = Ledger(uri)
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


def test_one_of_many_at_once_wins(uri: str) -> None:
    """Of eight promotions at the same time against the same champion exactly one is written."""
    first = Ledger(uri)
    first.append(FIRST)

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
    assert [str(number) for number in won] == [first.champion("m")]
    first.close()


def test_many_at_once_find_the_tables(uri: str) -> None:
    """Eight that open a new database at the same time: one makes the tables, and all use them."""
    barrier = Barrier(8)

    def look(_: int) -> str | None:
        barrier.wait()
        ledger = Ledger(uri)
        try:
            return ledger.champion("m")
        finally:
            ledger.close()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(look, range(8))) == [None] * 8


def test_connections_are_given_back(server: str) -> None:
    """After every ledger is closed, and after one that cannot be opened, the server holds no connection of ours."""
    ledger = Ledger(server)
    ledger.comparisons.note("m", "r1", "digest", ["image"])
    ledger.comparisons.spend("m", "r1", "2", "1", "better")
    ledger.close()
    execute(server, "DROP TABLE promotions", "CREATE VIEW promotions AS SELECT 1 AS id")
    with pytest.raises(sa.exc.DBAPIError):
        Ledger(server)
    engine = sa.create_engine(server, poolclass=sa.NullPool)
    with engine.connect() as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'ledger'"
        deadline = time.monotonic() + 10
        while (count := connection.execute(sa.text(query)).scalar()) != 1 and time.monotonic() < deadline:
            time.sleep(0.1)
    assert count == 1


OLD = """
CREATE TABLE promotions (id {number} PRIMARY KEY, at VARCHAR NOT NULL, model VARCHAR NOT NULL, version VARCHAR NOT NULL,
 champion_before VARCHAR, decision VARCHAR NOT NULL, actor VARCHAR NOT NULL, reason VARCHAR NOT NULL,
 evidence VARCHAR NOT NULL, change INTEGER, UNIQUE (model, change))
"""
"""The table as it was before it had a column for bundles."""
ROW = """
INSERT INTO promotions (at, model, version, decision, actor, reason, evidence, change)
 VALUES ('then', 'm', '1', 'promoted', 'ann', 'first', :evidence, 1)
"""


@pytest.fixture
def old(uri: str) -> str:
    """A ledger of that time with one champion."""
    number = "INTEGER" if uri.startswith("sqlite") else "SERIAL"
    execute(uri, OLD.format(number=number), ROW, evidence='{"bound": {"weights": "w"}}')
    return uri


def test_ledger_of_an_earlier_release_gets_the_column(old: str) -> None:
    """Its rows are read as they were, by several at once, and new rows name their bundle."""

    def champion(_: int) -> Identity | None:
        ledger = Ledger(old)
        try:
            return ledger.standing("m").champion
        finally:
            ledger.close()

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(champion, range(8))) == {Identity("1", None, "w")}
    ledger = Ledger(old)
    ledger.append(replace(FIRST, version="2", champion_before="1", bundle="b"))
    assert [row.bundle for row in ledger.history("m")] == [None, "b"]
    assert ledger.identity("m", "2") == Identity("2", "b", None)
    ledger.close()


def test_column_that_another_process_adds_meanwhile_is_taken(old: str) -> None:
    """Between the look and the change another process may be first."""
    others: list[str] = []

    def be_first(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("ALTER TABLE") and not others:
            others.append(statement)
            execute(old, statement)

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", be_first)
    try:
        ledger = Ledger(old)
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


def test_another_database_is_no_empty_ledger(toy: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """One in its place is refused as it is; at an address that is given others may keep their tables."""
    file = toy.mlflow / "ledger.db"
    with closing(sqlite3.connect(file)) as store:
        store.execute("create table experiments (id integer)")
    data = file.read_bytes()
    monkeypatch.setattr(databases, "TRIES", 1)
    with pytest.raises(RegistryError, match=r"ledger.db is damaged \(it holds something else\)"):
        open_ledger(toy)
    assert file.read_bytes() == data
    monkeypatch.setenv("SIGHTLINE_LEDGER_URI", f"sqlite:///{file}")
    open_ledger(toy).close()


def test_lost_ledger_is_told(toy: Paths) -> None:
    """Where versions are registered and no row is about any, it is not said that there has been no champion yet."""
    said: list[str] = []
    assert history(toy, said.append) == []
    assert "has no champion yet" in said.pop()
    record = toy.mlflow / "versions" / "toy-classifier" / "1.json"
    write_atomically(record, "{}")
    assert history(toy, said.append) == []
    assert "put a copy of it back" in said.pop()
    with closing(open_ledger(toy)) as ledger:
        ledger.append(replace(FIRST, model="toy-classifier", decision=REFUSED))
        assert "has no champion yet" in uncrowned(toy, ledger)
    history(toy, said.append)
    assert not said


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (
            "postgresql://ann:hush-hush@127.0.0.1:1/ledger",
            "postgresql://ann:\\*\\*\\*@127.0.0.1:1/ledger does not answer",
        ),
        ("postgres://ann:hush-hush@127.0.0.1/ledger", "it has the form postgresql://"),
        ("ann:hush-hush", "it has the form postgresql://"),
        ("oracle://ann:hush-hush@127.0.0.1/ledger", "needs the driver"),
    ],
)
def test_ledger_that_cannot_be_reached_is_told(
    toy: Paths, monkeypatch: pytest.MonkeyPatch, address: str, told: str
) -> None:
    """In one sentence, which never shows a password."""
    monkeypatch.setenv("SIGHTLINE_LEDGER_URI", address)
    with pytest.raises(RegistryError, match=told) as error:
        open_ledger(toy)
    assert "hush-hush" not in str(error.value)
