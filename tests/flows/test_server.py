"""Deployments on a real Prefect server with a process worker, by the README's commands."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import strangers
from conftest import make_images, make_project

from sightline import config
from sightline.project import Paths, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFECT = str(Path(sys.executable).with_name("prefect"))
MINUTES = 5


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def every_minute(values: Any) -> None:
    (nightly,) = (one for one in values["deployments"] if one["name"] == "nightly")
    assert nightly["schedules"][0]["active"] is False
    nightly["schedules"][0] |= {"cron": "* * * * *", "active": True}


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Paths, str]]:
    """A toy project, its deployments on a server of its own, and a worker; the nightly schedule is due each minute."""
    paths = make_project(tmp_path / "toy project", make_images(tmp_path / "images"))
    config.change(paths.root / "prefect.yaml", paths.root / "prefect.yaml", every_minute)
    api = f"http://127.0.0.1:{free_port()}/api"
    for name in [name for name in os.environ if name.startswith(("PREFECT", "MLFLOW", "SIGHTLINE"))]:
        monkeypatch.delenv(name)
    own = {"PREFECT_HOME": str(tmp_path / "prefect"), "PREFECT_API_URL": api, "PREFECT_WORKER_QUERY_SECONDS": "2"}
    env = environment(paths.root, {**os.environ, **own})
    # Whoever starts Prefect's commands by hand has not set it.
    del env["PYTHONSAFEPATH"]
    strangers.plant(paths.root, tmp_path / "imported")
    log = (tmp_path / "server.log").open("w")
    started = []

    def start(*words: str) -> None:
        started.append(
            subprocess.Popen([PREFECT, *words], cwd=paths.root, env=env, stdout=log, stderr=log, start_new_session=True)
        )

    def call(*words: str) -> None:
        subprocess.run([PREFECT, *words], cwd=paths.root, env=env, stdout=log, stderr=log, check=True)

    try:
        start("server", "start", "--port", api.split(":")[2].removesuffix("/api"))
        wait_until(lambda: httpx.get(f"{api}/health").status_code == httpx.codes.OK, tmp_path / "server.log")
        call("work-pool", "create", "sightline", "--type", "process")
        call("--no-prompt", "deploy", "--all")
        start("worker", "start", "--pool", "sightline")
        yield paths, api
    finally:
        for process in reversed(started):
            os.killpg(process.pid, signal.SIGKILL)
        log.close()


def wait_until(happened: Any, log: Path) -> None:
    for _ in range(MINUTES * 60):
        try:
            if happened():
                return
        except httpx.TransportError:
            pass
        time.sleep(1)
    pytest.fail(log.read_text())


@pytest.mark.timeout(600)
@pytest.mark.slow
def test_schedule_fires_unaided_and_ends_green(served: tuple[Paths, str], tmp_path: Path) -> None:
    """A schedule that is due in a minute starts the training flow by itself, and a champion stands at its end.

    No module of the project's folder is taken for one of ours or of a library.
    """
    paths, api = served

    def ended() -> bool:
        runs = httpx.post(f"{api}/flow_runs/filter", json={}).json()
        over = [
            run for run in runs if run["auto_scheduled"] and run["state_type"] in {"COMPLETED", "FAILED", "CRASHED"}
        ]
        assert all(run["state_type"] == "COMPLETED" for run in over), (tmp_path / "server.log").read_text()
        return bool(over)

    wait_until(ended, tmp_path / "server.log")
    names = {one["name"] for one in httpx.post(f"{api}/deployments/filter", json={}).json()}
    assert names == {"manual", "nightly"}
    kinds = {one["key"] for one in httpx.post(f"{api}/artifacts/filter", json={}).json()}
    assert {"stages", "results", "report", "data-docs-target", "scratch-progress"} <= kinds
    assert any(paths.reports.glob("*.html"))
    assert not (tmp_path / "imported").exists(), (tmp_path / "imported").read_text()
