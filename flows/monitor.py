"""The monitoring flow: whether the traffic of the champion has shifted, and whether it errs more often."""

from __future__ import annotations

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from flows.signals import tell
from flows.watch import watch
from sightline import config, project
from sightline.monitor.outcome import Outcome  # noqa: TC001 — Prefect reads the annotations of a flow
from sightline.report.monitor import markdown, sentences
from tasks.pages import link


@flow(name="monitor")
def monitor() -> Outcome:
    """Look at the answers that were captured since the last look."""
    paths = project.enter(config.find_root())
    outcome, log = watch(paths), get_run_logger()
    for one in sentences(outcome):
        (log.info if outcome.is_calm else log.warning)(one)
    for event in tell(paths, outcome, log.warning):
        log.warning(f"{event} is told")
    create_markdown_artifact(markdown(outcome), key="monitor", description="What the monitor found")
    link(paths, paths.reports / "monitor.html", "Time line", "monitor-page")
    return outcome
