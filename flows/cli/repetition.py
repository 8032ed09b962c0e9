"""The command line: a run that finds nothing changed, with Prefect only where a server of its own waits for it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.cli.common import say
from flows.complete import FOLDER, Look, repeat

if TYPE_CHECKING:
    from flows.summary import Summary
    from sightline.duration import Budget
    from sightline.project import Paths


def repeated(paths: Paths, overrides: dict[str, Any] | None, budget: Budget | None) -> Summary | None:
    """Record a run that has nothing to do, and say so; None where something has changed since the last complete run."""
    look = Look(paths, overrides, budget)
    if look.last is None:
        return None
    summary = _as_flow(look, overrides, budget) if "PREFECT_API_URL" in os.environ else repeat(look)
    if summary is not None:
        say(look.last.sentence, err=True)
    return summary


def forget(paths: Paths) -> None:
    """Drop what this machine knows of files by size and time, DVC's state too: the next run reads everything."""
    shutil.rmtree(paths.root / FOLDER, ignore_errors=True)
    shutil.rmtree(os.environ["DVC_SITE_CACHE_DIR"], ignore_errors=True)


def _as_flow(look: Look, overrides: dict[str, Any] | None, budget: Budget | None) -> Summary | None:
    """The same as a flow run on the server; it is over before anybody could miss its heartbeat."""
    from prefect import flow
    from prefect.runtime import flow_run
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from tasks.pages import link

    @flow(name="train")
    def train(overrides: dict[str, Any] | None, budget: Any) -> Summary | None:  # noqa: ARG001 — shown on Prefect's page
        summary = repeat(look, str(flow_run.get_id() or ""), str(flow_run.get_name() or ""))
        if summary is not None:
            link(look.paths, Path(summary.report), "Report of the last run", "report")
        return summary

    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
        return train(overrides, budget)
