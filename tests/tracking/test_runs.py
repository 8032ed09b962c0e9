"""What MLflow is told about a run, beside its own numbers."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from sightline.errors import RegistryError
from sightline.tracking import databases
from sightline.tracking.runs import PROCESS, connect
from sightline.tracking.versions import split

if TYPE_CHECKING:
    from sightline.project import Paths


def test_watched_run_shows_how_busy_the_machine_is(toy: Paths) -> None:
    """MLflow's system metrics come while the block lasts, and nothing watches after it."""
    tracker = connect(toy)
    run = tracker.start("toy", {})
    with tracker.watched(run, every=0.1):
        deadline = time.monotonic() + 60
        while not (found := tracker.client.get_run(run).data.metrics) and time.monotonic() < deadline:
            time.sleep(0.1)
    assert 0 <= found["system/cpu_utilization_percentage"] <= 100
    assert found["system/system_memory_usage_megabytes"] > 0
    assert not any(one.name == "SystemMetricsMonitor" for one in threading.enumerate())


def test_killed_run_is_ended_by_the_next(toy: Paths) -> None:
    """What a killed process left RUNNING is KILLED then; the run of a living one, or of another machine, goes on."""
    tracker = connect(toy)
    code = (
        "import os, sys; from pathlib import Path; from sightline.project import Paths\n"
        "from sightline.tracking.runs import connect\n"
        "print(connect(Paths(Path.cwd())).start('toy', {}), flush=True); os.kill(os.getpid(), 9)"
    )
    said = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False).stdout
    dead, living, elsewhere = said.strip(), tracker.start("toy", {}), tracker.start("toy", {})
    tracker.tag(elsewhere, {PROCESS: f"another-{tracker.client.get_run(dead).data.tags[PROCESS]}"})
    inside, at = tracker.start("epochs", {}, parent=dead), int(time.time() * 1000) + 90_000
    tracker.client.log_metric(inside, "loss", 0.5, timestamp=at)
    tracker.settle()
    assert tracker.client.get_run(dead).info.end_time == at
    states = [tracker.client.get_run(run).info.status for run in (dead, living, elsewhere)]
    assert states == ["KILLED", "RUNNING", "RUNNING"]


def test_another_database_is_no_empty_store(toy: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """One in the place of the project's own is refused as it is: no table is added to it."""
    file = toy.mlflow / "mlflow.db"
    file.unlink()
    with closing(sqlite3.connect(file)) as store:
        store.execute("create table promotions (id integer)")
    data = file.read_bytes()
    monkeypatch.setattr(databases, "TRIES", 1)
    with pytest.raises(RegistryError, match=r"mlflow.db is damaged \(it holds something else\)"):
        connect(toy)
    assert file.read_bytes() == data


def test_a_number_alone_is_a_version() -> None:
    assert split("2") == split("/2") == ("", "", "2")
    assert split("parts") == ("parts", "champion", "")
