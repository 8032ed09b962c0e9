"""A project's deployments on a real Prefect server with a process worker, by the README's commands."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import strangers
from servers import beside, free_port

from sightline.project import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.project import Paths

MINUTES = 5


@contextmanager
def deployed(paths: Paths, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """The project's deployments, a server of its own, and a worker; the variables that lead there.

    Its log is `folder`/server.log. Modules named like ours lie in the project; one that is imported writes
    `folder`/imported.
    """
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    for name in [name for name in os.environ if name.startswith(("PREFECT", "MLFLOW", "SIGHTLINE"))]:
        monkeypatch.delenv(name)
    own = {"PREFECT_HOME": str(folder / "prefect"), "PREFECT_API_URL": api, "PREFECT_WORKER_QUERY_SECONDS": "2"}
    env = environment(paths.root, {**os.environ, **own})
    # Whoever starts Prefect's commands by hand has not set it.
    del env["PYTHONSAFEPATH"]
    strangers.plant(paths.root, folder / "imported")
    log = (folder / "server.log").open("w")
    started = []

    def start(*words: str) -> None:
        words = (beside("prefect"), *words)
        started.append(subprocess.Popen(words, cwd=paths.root, env=env, stdout=log, stderr=log, start_new_session=True))

    def call(*words: str) -> None:
        words = (beside("prefect"), *words)
        subprocess.run(words, cwd=paths.root, env=env, stdout=log, stderr=log, check=True)

    try:
        start("server", "start", "--port", str(port))
        wait_until(lambda: httpx.get(f"{api}/health").status_code == httpx.codes.OK, folder / "server.log")
        call("work-pool", "create", "sightline", "--type", "process")
        call("--no-prompt", "deploy", "--all")
        start("worker", "start", "--pool", "sightline")
        yield env
    finally:
        for process in reversed(started):
            os.killpg(process.pid, signal.SIGKILL)
        log.close()


def wait_until(happened: Any, log: Path) -> None:
    """Wait some minutes for something to come true; else the log is told."""
    for _ in range(MINUTES * 60):
        try:
            if happened():
                return
        except httpx.TransportError:
            pass
        time.sleep(1)
    pytest.fail(log.read_text())
