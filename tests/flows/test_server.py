"""Deployments on a real Prefect server with a process worker, by the README's commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from conftest import make_images, make_project
from deployed import deployed, wait_until

from sightline import config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.project import Paths


def every_minute(values: Any) -> None:
    (nightly,) = (one for one in values["deployments"] if one["name"] == "nightly")
    assert nightly["schedules"][0]["active"] is False
    nightly["schedules"][0] |= {"cron": "* * * * *", "active": True}


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Paths, str]]:
    """A toy project, its deployments on a server of its own, and a worker; the nightly schedule is due each minute."""
    paths = make_project(tmp_path / "toy project", make_images(tmp_path / "images"))
    config.change(paths.root / "prefect.yaml", paths.root / "prefect.yaml", every_minute)
    with deployed(paths, tmp_path, monkeypatch) as env:
        yield paths, env["PREFECT_API_URL"]


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
    assert names == {"batch", "hourly", "manual", "nightly", "on-signal"}
    kinds = {one["key"] for one in httpx.post(f"{api}/artifacts/filter", json={}).json()}
    assert {"stages", "results", "report", "data-docs-target", "scratch-progress"} <= kinds
    assert any(paths.reports.glob("*.html"))
    assert not (tmp_path / "imported").exists(), (tmp_path / "imported").read_text()
