"""Prefect's tables: made once for all projects of a user, while the first of them is made."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from commands import call

from flows.cli import prefect_tables
from sightline.tracking import databases, tables

if TYPE_CHECKING:
    from pathlib import Path


def kept(home: Path) -> list[Path]:
    return list(home.glob(".cache/sightline/prefect-*.db"))


@pytest.mark.slow
def test_init_makes_prefects_tables_where_they_are_kept_for_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    call(tmp_path, "init", "one", given={"HOME": str(tmp_path)})
    (made,) = kept(tmp_path)
    with closing(sqlite3.connect(made)) as database:
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"flow_run", "task_run", "deployment"} <= tables
    assert not list(tmp_path.glob("**/*draft.db*"))
    assert not (tmp_path / ".prefect").exists(), "Prefect makes itself no home in that of the user"


def test_a_database_is_a_copy_of_the_tables_that_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    template = tables.kept(prefect_tables.LIBRARY)
    assert template is not None
    with closing(sqlite3.connect(template)) as database:
        database.execute(f"CREATE TABLE {databases.PREFECT} (id TEXT)")
    prefect_tables.make_database(tmp_path / "prefect.db")
    assert (tmp_path / "prefect.db").read_bytes() == template.read_bytes()


def test_nothing_is_made_where_another_server_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    with prefect_tables.tables_ready():
        pass
    assert not kept(tmp_path)
