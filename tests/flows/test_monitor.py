"""The monitor from outside: the command, the flow, MLflow, Prometheus and the page say what a look found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import httpx
import pytest
from answering import served
from conftest import copy_project
from traffic import capture, toys
from typer.testing import CliRunner

from flows.cli.app import app
from sightline.config import write_value
from sightline.monitor.gauges import Gauges
from sightline.project import Paths
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from pathlib import Path

RUNNER = CliRunner()


@pytest.fixture
def watched(crowned: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A copy of it, entered, whose answers are recorded with small pictures."""
    paths = copy_project(crowned, tmp_path / "toy project", monkeypatch)
    write_value(paths.root, "capture.keep", "thumbnails")
    return Paths(paths.root)


def test_command_tells_the_alarm_until_it_is_acknowledged(watched: Paths) -> None:
    """Status 1 and the sentence of the shift; figures in MLflow, at /metrics and on the page with its pictures."""
    assert httpx_metrics(watched) == {}
    capture(watched, toys(0, 80), "calm")
    capture(watched, toys(80, 120, noise=60), "noisy")
    said = RUNNER.invoke(app, ["monitor"])
    assert said.exit_code == 1, said.output
    assert "the traffic has shifted, since" in said.output
    assert "the images look otherwise than in the reference" in said.output
    tracker = connect(watched)
    run = tracker.run(str(tracker.version(tracker.classifier_model, "1").run_id))
    assert run is not None
    assert run.data.metrics["monitor/alarm"] == 1
    assert run.data.metrics["monitor/answers"] == 200
    figures = httpx_metrics(watched)
    assert (figures["alarm"], figures["answers"]) == (1.0, 200.0)
    page = (watched.reports / "monitor.html").read_text()
    assert "Not calm." in page
    assert page.count("<img src=") == 12
    assert "http" not in page.replace("http://www.w3.org", "")
    said = RUNNER.invoke(app, ["monitor", "--window"])
    assert "images by themselves: statistics that moved: change over 1 px" in said.output
    said = RUNNER.invoke(app, ["monitor", "--acknowledge", "--json"])
    told = json.loads(said.stdout)
    assert (said.exit_code, told["alarm"], told["rows_new"]) == (0, None, 0)
    assert "alarm 1, of" in said.stderr


def httpx_metrics(paths: Paths) -> dict[str, float]:
    """The monitor's figures as a server of that project tells them to Prometheus."""
    with served(gauges=[Gauges(paths)]) as address:
        lines = httpx.get(f"{address}/metrics").text.splitlines()
    start = "sightline_monitor_"
    rows = (line.removeprefix(start).split("{") for line in lines if line.startswith(start))
    return {name: float(rest.split()[-1]) for name, rest in rows}


@pytest.mark.usefixtures("prefect_server")
def test_flow_leaves_its_findings_on_prefects_page(watched: Paths) -> None:
    """An artifact tells what was found; the outcome is what the next look starts from."""
    from prefect.artifacts import Artifact

    from flows.monitor import monitor

    capture(watched, toys(0, 40), "calm")
    outcome = monitor()
    assert (outcome.rows_new, outcome.alarm) == (40, None)
    told = getattr(Artifact.get("monitor"), "data", "")
    assert "no shift is shown: a bet against it stands at" in told
    assert monitor().rows_new == 0
