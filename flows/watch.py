"""A look of the monitor, and where it is told: the state, MLflow, and a page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sightline.errors import RegistryError
from sightline.monitor.look import look
from sightline.monitor.record import record
from sightline.report.monitor import write_monitor_page
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from sightline.monitor.outcome import Outcome
    from sightline.project import Paths


def watch(paths: Paths) -> Outcome:
    """Look at what was captured since the last look.

    Raises RegistryError where there is no champion, or MLflow or the ledger do not answer.
    """
    outcome = look(paths)
    try:
        record(connect(paths), outcome)
    except RegistryError as error:
        outcome = replace(outcome, trouble=(*outcome.trouble, f"MLflow does not take the figures: {error}"))
    write_monitor_page(paths, outcome)
    return outcome
