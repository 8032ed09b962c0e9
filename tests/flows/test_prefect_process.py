"""Tests of the Prefect server that a command starts for itself."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from importlib.metadata import version
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from flows.cli.prefect_runs import FOLDER
from sightline.project import environment
from sightline.tracking import databases

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = """
import os, sys
from flows.cli.common import leave
from flows.cli.prefect_server import prefect_ready
from sightline.errors import ConfigError
from sightline.project import Paths
from pathlib import Path
try:
    with prefect_ready(Paths(Path.cwd())):
        pass
except ConfigError as error:
    leave(str(error))
print(os.environ["PREFECT_API_URL"], flush=True)
sys.stdin.read()
leave(0)
"""

FAILING = """
import sys
from contextlib import suppress
from pathlib import Path
from flows.cli.common import leave
from flows.cli.prefect_runs import enrol, mine
enrol(Path.cwd())
with suppress(OSError), mine():
    if sys.argv[1:]:
        raise OSError("the disk is full")
leave(0)
"""

BEATS = """
import sys
from pathlib import Path
from prefect.settings import get_current_settings
from flows.cli.prefect_runs import enrol, mine
if sys.argv[1:]:
    enrol(Path.cwd())
with mine():
    print(get_current_settings().flows.heartbeat_frequency)
"""

RUN = """
import os, time
from pathlib import Path
from flows.cli.app import app, main
from flows.cli.common import enter
from flows.cli.prefect_runs import mine
from flows.cli.prefect_server import prefect_ready
from sightline.project import Paths

@app.command()
def work():
    with prefect_ready(Paths(Path.cwd())):
        from prefect import flow, task

    @task
    def waits():
        # What tasks tell reaches the database in batches.
        time.sleep(3)
        print(os.environ["PREFECT_API_URL"], flush=True)
        time.sleep(600)

    with mine():
        flow(lambda: waits(), name="works")()

main()
"""


def command(project: Path, cache: Path, code: str = COMMAND, *words: str) -> subprocess.Popen[str]:
    """A process that has its server, once it has printed the address; it ends with its standard input."""
    project.mkdir(exist_ok=True)
    given = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    env = environment(project, given | {"XDG_CACHE_HOME": str(cache)})
    (project / ".prefect").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-P", "-c", code, *words],
        cwd=project,
        env=env,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def address(process: subprocess.Popen[str]) -> str:
    """Where its server answers."""
    assert process.stdout is not None
    said = process.stdout.readline().strip()
    assert said, process.communicate()[1]
    return said


@pytest.mark.slow
def test_server_ends_with_the_command(tmp_path: Path) -> None:
    """However the command ends, killed too; a second project takes the tables that the first one made."""
    cache = tmp_path / "cache"
    for name in ("killed", "ended"):
        process = command(tmp_path / name, cache)
        api = address(process)
        assert httpx.get(f"{api}/health").json() is True
        assert httpx.post(f"{api}/flow_runs/count", json={}).json() == 0
        servers = psutil.Process(process.pid).children()
        assert len(servers) == 1
        if name == "killed":
            process.kill()
        process.communicate()
        _, alive = psutil.wait_procs(servers, timeout=10)
        assert not alive
        assert len(list(cache.rglob("prefect-*.db"))) == 1
    made = (tmp_path / "killed" / ".prefect" / "server.log").read_text(encoding="utf-8")
    assert made == ""


@pytest.mark.slow
@pytest.mark.parametrize("other", [False, True])
def test_damaged_database_is_moved_aside(tmp_path: Path, *, other: bool) -> None:
    """Only Prefect's pages need what it holds: the command goes on beside a new one, and says where the old one is.

    Of the tables that all projects of a user begin with nothing is lost at all.
    """
    database = tmp_path / "toy" / ".prefect" / "prefect.db"
    kept = tmp_path / "cache" / "sightline" / f"prefect-{version('prefect')}.db"
    for place in (database, kept):
        place.parent.mkdir(parents=True)
        if other:
            with closing(sqlite3.connect(place)) as store:
                store.execute("CREATE TABLE experiments (id INTEGER)")
        else:
            place.write_bytes(b"no database" * 1000)
    content = database.read_bytes()
    process = command(tmp_path / "toy", tmp_path / "cache")
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert "Prefect's database was damaged" in said
    aside = [one for one in database.parent.iterdir() if one.is_file() and one.read_bytes() == content]
    assert len(aside) == 1
    assert str(aside[0]) in said
    assert databases.damage(kept, databases.PREFECT) is None


@pytest.mark.slow
def test_server_that_does_not_come_up_is_told_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "toy" / ".prefect" / "prefect.db.lock").mkdir(parents=True)
    process = command(tmp_path / "toy", tmp_path / "cache")
    _, said = process.communicate()
    assert process.returncode == 1
    assert "did not start: " in said
    assert "prefect.db.lock" in said
    assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_command_that_is_asked_to_end_says_so(tmp_path: Path, number: signal.Signals) -> None:
    """What reaches the server too, as Ctrl-C does, ends the command in seconds, and Prefect knows of it."""
    project = tmp_path / "toy"
    process = command(project, tmp_path / "cache", RUN, "work")
    address(process)
    os.killpg(process.pid, number)
    process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert states(project) == ["CRASHED", "CRASHED"]
    assert not list((project / FOLDER).iterdir())


@pytest.mark.slow
def test_next_command_settles_what_was_killed(tmp_path: Path) -> None:
    """Runs of a group that was killed are RUNNING until the next command; those of one that lives stay so."""
    project = tmp_path / "toy"
    process = command(project, tmp_path / "cache", RUN, "work")
    address(process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert states(project) == ["RUNNING", "RUNNING"]
    living = [command(project, tmp_path / "cache", RUN, "work") for _ in range(2)]
    for one in living:
        address(one)
    assert states(project) == ["CRASHED", "RUNNING", "RUNNING", "CRASHED", "RUNNING", "RUNNING"]
    for one in living:
        os.killpg(one.pid, signal.SIGKILL)
        one.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("fails", [False, True])
def test_command_whose_run_failed_leaves_its_end_to_the_next(tmp_path: Path, *, fails: bool) -> None:
    """A server without space notes no end: whoever comes next asks what became of the runs."""
    process = command(tmp_path / "toy", tmp_path / "cache", FAILING, *["fails"] * fails)
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert len(list((tmp_path / "toy" / FOLDER).iterdir())) == fails
    again = command(tmp_path / "toy", tmp_path / "cache")
    _, said = again.communicate()
    assert again.returncode == 0, said
    assert not list((tmp_path / "toy" / FOLDER).iterdir())


def states(project: Path) -> list[str]:
    """Of the flow runs in their order, then of the task runs."""
    with closing(sqlite3.connect(project / ".prefect" / "prefect.db")) as store:
        tables = [store.execute(f"select state_type from {name}_run order by created") for name in ("flow", "task")]  # noqa: S608
        return [state for table in tables for (state,) in table]


@pytest.mark.parametrize("own", [True, False])
def test_heartbeats_are_for_servers_that_outlive_the_command(tmp_path: Path, *, own: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", BEATS, *["own"] * own],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout.strip() == "None") == own
