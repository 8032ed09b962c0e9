"""Tests of the Prefect server that a command starts for itself."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from sightline.project import environment

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


def command(project: Path, cache: Path) -> subprocess.Popen[str]:
    """A process that has its server, once it has printed the address; it ends with its standard input."""
    project.mkdir(exist_ok=True)
    given = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
    env = environment(project, given | {"XDG_CACHE_HOME": str(cache)})
    (project / ".prefect").mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-P", "-c", COMMAND],
        cwd=project,
        env=env,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
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
def test_damaged_database_is_named(tmp_path: Path) -> None:
    """Where the server does not come up, the command says why and what to do."""
    database = tmp_path / "toy" / ".prefect" / "prefect.db"
    database.parent.mkdir(parents=True)
    database.write_bytes(b"no database" * 1000)
    process = command(tmp_path / "toy", tmp_path / "cache")
    _, said = process.communicate()
    assert process.returncode == 1
    assert "file is not a database" in said
    assert ".prefect/prefect.db is damaged" in said
    assert "Traceback" not in said
