"""What MLflow is told about a run, beside its own numbers."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from sightline.tracking.runs import connect

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
