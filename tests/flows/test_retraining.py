"""The whole loop on a real Prefect server: drifting traffic becomes a better model in production, without a hand."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from commands import asked, call
from conftest import COLOURS, draw, make_images, make_project
from deployed import deployed, wait_until
from PIL import ImageOps
from servers import free_port

from sightline.config import write_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sightline.project import Paths

IMAGES = 240
SIGNALS = ("sightline.drift", "sightline.harm", "sightline.labels", "sightline.labels")
VALUES = {
    "capture.keep": "images",
    "monitor.audit": 0.3,
    "monitor.interval": 0.0,
    # The first training was minutes ago.
    "retrain.cooldown": 0.0,
    "finetune.recipe.epochs": 12,
    "finetune.scratch.epochs": 20,
}


def inverted(seed: int) -> tuple[bytes, str]:
    """A toy as another lens would show it, and its class."""
    name = list(COLOURS)[seed % 3]
    out = BytesIO()
    ImageOps.invert(draw(900_000 + seed, COLOURS[name])).save(out, "PNG")
    return out.getvalue(), name


@pytest.fixture
def project(tmp_path: Path) -> Paths:
    """A toy project with a champion."""
    paths = make_project(tmp_path / "toy project", make_images(tmp_path / "images"))
    for key, value in VALUES.items():
        write_value(paths.root, key, value)
    assert asked(paths.root, "run")["outcome"]["champion"] == "1"
    return paths


@contextmanager
def answering(paths: Paths, env: Mapping[str, str], log: Path) -> Iterator[str]:
    """The address of `sightline serve`."""
    port = free_port()
    words = [sys.executable, "-P", "-m", "flows.cli", "serve", "--port", str(port)]
    with (
        log.open("w") as out,
        subprocess.Popen(words, cwd=paths.root, env=dict(env), stdout=out, stderr=out) as process,
    ):
        try:
            address = f"http://127.0.0.1:{port}"
            wait_until(lambda: httpx.get(f"{address}/readyz").status_code == httpx.codes.OK, log)
            yield address
        finally:
            process.terminate()


def label(paths: Paths, folder: Path, truth: Mapping[str, str], *kinds: str) -> None:
    """Label the images that are asked for, as the page would, and import the answers."""
    rows = []
    for kind in kinds:
        call(paths.root, "data", "label", "export", str(folder / kind), f"--{kind}")
        with (folder / kind / "labels.csv").open(newline="") as handle:
            rows += [{**row, "label": truth[row["sha256"]]} for row in csv.DictReader(handle)]
    with (folder / "answers.csv").open("w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    said = asked(paths.root, "data", "label", "import", str(folder / "answers.csv"))
    assert said["release"] == "r1+1"


@pytest.mark.timeout(900)
@pytest.mark.slow
def test_drift_becomes_a_better_champion_without_a_hand(
    project: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Drift and harm call, one training starts, the gate promotes it, the server answers with it; four signals."""
    shown = [inverted(seed) for seed in range(IMAGES)]
    truth = {hashlib.sha256(data).hexdigest(): name for data, name in shown}
    log = tmp_path / "server.log"
    with deployed(project, tmp_path, monkeypatch) as env, answering(project, env, tmp_path / "serve.log") as address:
        api = env["PREFECT_API_URL"]

        def answer(data: bytes) -> dict[str, Any]:
            said: dict[str, Any] = httpx.post(f"{address}/predict", content=data).json()["answers"][0]
            return said

        before = [answer(data) for data, _ in shown]
        assert {one["version"] for one in before} == {"1"}
        wrong = sum(one["label"] != name for one, (_, name) in zip(before, shown, strict=True))
        assert wrong > IMAGES / 10, "the champion knows the new lens already"
        wait_until(lambda: recorded(project) >= IMAGES, tmp_path / "serve.log")
        # Somebody labels what the monitor drew. No server is told of it here: the alarm is what calls.
        first = look(project)
        label(project, tmp_path, truth, "audit", "queue")
        deployment = httpx.get(f"{api}/deployments/name/monitor/hourly").json()
        httpx.post(f"{api}/deployments/{deployment['id']}/create_flow_run", json={}).raise_for_status()
        wait_until(lambda: {"sightline.drift", "sightline.harm"} <= events(api), log)
        for number, event in enumerate(SIGNALS[2:]):
            emit(api, event, number)

        wait_until(lambda: httpx.get(f"{address}/readyz").json()["version"] == "2", log)
        wait_until(lambda: all(run["state_type"] in {"COMPLETED", "CANCELLED"} for run in signalled(api)), log)
        after = [answer(data) for data, _ in shown]
        assert sum(one["label"] != name for one, (_, name) in zip(after, shown, strict=True)) < wrong / 2
        rows = asked(project.root, "history")
        assert [row["decision"] for row in rows] == ["promoted", "promoted"]
        assert not any(row["evidence"].get("overridden") for row in rows)
        assert {run["parameters"]["signal"] for run in signalled(api)} <= set(SIGNALS)
        assert sum(trained(api, run) for run in signalled(api)) == 1
    found = look(project)
    assert (found["version"], found["harm"]["harmed"]) == ("2", False)
    assert found["reference"] not in {None, first["reference"]}
    why = asked(project.root, "why-retrain")
    assert (why["train"], why["against"][0]) == (False, "the data are those of the last training")


def look(paths: Paths) -> Any:
    """A look of the monitor by hand; its exit status tells of alarms."""
    words = [sys.executable, "-P", "-m", "flows.cli", "monitor", "--json"]
    done = subprocess.run(words, cwd=paths.root, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stderr
    return json.loads(done.stdout)


def recorded(paths: Paths) -> int:
    """Answers in the captured files."""
    return sum(day["rows"] for day in asked(paths.root, "capture", "log")["days"])


def events(api: str) -> set[str]:
    """What Prefect's server was told of."""
    wanted = {"filter": {"event": {"prefix": ["sightline."]}}}
    return {one["event"] for one in httpx.post(f"{api}/events/filter", json=wanted).json()["events"]}


def emit(api: str, event: str, number: int) -> None:
    """One more signal, as `data label import` sends it."""
    code = (
        "from prefect.events import emit_event; from prefect.events.worker import EventsWorker; "
        f"emit_event({event!r}, {{'prefect.resource.id': 'sightline.project.toy'}}, payload={{'number': {number}}}); "
        "EventsWorker.instance().drain()"
    )
    subprocess.run([sys.executable, "-P", "-c", code], env={**os.environ, "PREFECT_API_URL": api}, check=True)


def signalled(api: str) -> list[dict[str, Any]]:
    """The runs of train/on-signal."""
    deployment = httpx.get(f"{api}/deployments/name/train/on-signal").json()["id"]
    wanted = {"deployments": {"id": {"any_": [deployment]}}}
    found: list[dict[str, Any]] = httpx.post(f"{api}/flow_runs/filter", json=wanted).json()
    return found


def trained(api: str, run: dict[str, Any]) -> bool:
    """Whether the flow run came as far as a decision of the gate."""
    wanted = {"artifacts": {"flow_run_id": {"any_": [run["id"]]}}}
    return "results" in {one["key"] for one in httpx.post(f"{api}/artifacts/filter", json=wanted).json()}
