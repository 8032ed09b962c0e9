"""A project's stores while they are made: by many processes at once, or by one that is killed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sightline.tracking import store, tables
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sightline.project import Paths

PROCESSES = 8
START = """
import sys, time
from pathlib import Path
import mlflow
from sightline.project import Paths
from sightline.registry.opening import open_ledger
from sightline.tracking.runs import connect
print(flush=True)
sys.stdin.read()
paths = Paths(Path.cwd())
tracker = connect(paths)
open_ledger(paths).history("toy")
print(tracker.experiment, tracker.start("toy", {}))
"""
KILLED = """
import os
from pathlib import Path
import mlflow
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sightline.project import Paths
from sightline.tracking.runs import connect

@event.listens_for(Engine, "before_cursor_execute")
def die(connection, cursor, statement, *more):
    if statement.strip() == "ALTER TABLE _alembic_tmp_tags RENAME TO tags":
        os.kill(os.getpid(), 9)

connect(Paths(Path.cwd()))
"""


@pytest.mark.slow
def test_many_processes_start_on_a_fresh_store(toy: Paths) -> None:
    """Eight first commands at once find one experiment, and each of their runs is there."""
    (toy.mlflow / "mlflow.db").unlink()
    processes = [begin(START) for _ in range(PROCESSES)]
    for one in processes:
        assert one.stdout is not None
        one.stdout.readline()
    for one in processes:
        assert one.stdin is not None
        one.stdin.close()
        one.stdin = None
    said = [one.communicate() for one in processes]
    assert [one.returncode for one in processes] == [0] * PROCESSES, errors(said)
    experiments, runs = zip(*(out.split() for out, _ in said), strict=True)
    assert len(set(experiments)) == 1
    assert len(set(runs)) == PROCESSES


def test_a_second_store_is_a_copy_of_the_first_ones_tables(toy: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow's migrations are run once for all projects of a user, and again where what they made is damaged."""
    template = alone(toy, monkeypatch)
    place = toy.mlflow / "mlflow.db"
    store.make(toy)
    made = template.read_bytes()
    assert place.read_bytes() == made
    place.unlink()
    with monkeypatch.context() as patched:
        patched.setattr(store, "_migrate", lambda _: pytest.fail("the tables lie there"))
        store.make(toy)
    assert place.read_bytes() == made
    place.unlink()
    template.write_bytes(made[: len(made) // 2])
    store.make(toy)
    assert connect(toy).start("toy", {})
    assert [file.name for file in template.parent.iterdir() if file.suffix == ".db"] == [template.name]


def test_a_store_is_made_where_nothing_can_be_kept(toy: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without a home has MLflow make its tables in each project."""
    (toy.mlflow / "mlflow.db").unlink()
    monkeypatch.setattr(tables, "machine_cache", lambda: None)
    assert connect(toy).start("toy", {})
    assert not list(toy.mlflow.glob("*draft*"))


@pytest.mark.slow
def test_store_that_was_killed_while_it_was_made_is_made_again(toy: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in the middle of MLflow's migrations, the next command starts from nothing and leaves no scratch."""
    alone(toy, monkeypatch)
    killed = begin(KILLED)
    killed.communicate()
    assert killed.returncode == -9
    after = begin(START)
    said = after.communicate("")
    assert after.returncode == 0, said[1]
    assert not list(toy.mlflow.glob(".*tmp"))


def alone(project: Paths, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let the project have neither a store nor a user whose projects had one; where the tables will be kept."""
    (project.mlflow / "mlflow.db").unlink(missing_ok=True)
    monkeypatch.setenv("XDG_CACHE_HOME", str(project.root / "caches"))
    template = tables.kept("mlflow")
    assert template is not None
    return template


def begin(code: str) -> subprocess.Popen[str]:
    """A process in the working directory."""
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-P", "-c", code], stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def errors(said: Sequence[tuple[str, str]]) -> list[str]:
    """The last line that each one complained in."""
    return [(err.strip().splitlines() or [""])[-1] for _, err in said]
