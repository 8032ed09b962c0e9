"""A promotion that passed waits for a person, where `gate.approval` says so."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING
from uuid import UUID

from prefect.artifacts import create_link_artifact
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from prefect.logging import get_run_logger

from sightline.errors import RegistryError, Stale
from sightline.registry.ledger import WAITING
from tasks import promotion

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.params import Params
    from sightline.project import Paths
    from sightline.registry.outcome import Outcome
    from tasks.context import Context

DAYS = 14
POLL = 5
"""Seconds between two looks whether somebody has approved."""


class Approval(RunInput):
    """What Prefect's page asks when somebody resumes the run."""

    by: str = "someone on Prefect's page"
    reason: str = ""


def settle(outcome: Outcome, params: Params, report: Path, context: Context) -> Outcome:
    """Where the promotion waits: pause this flow run with the `report` linked, and finish it once it is approved.

    What has changed meanwhile is judged, and approved, again.
    """
    while outcome.decision == WAITING:
        create_link_artifact(report.as_uri(), link_text="What waits for approval", key="approval")
        get_run_logger().warning(
            f"version {outcome.version} waits for a person: look at {report}, then resume this run in Prefect's page "
            f"or say `sightline approve {outcome.version}`"
        )
        words = f"Make version {outcome.version} the champion? {outcome.sentence}. Report: {report.as_uri()}"
        asked = Approval.with_initial_data(description=words)
        answer = pause_flow_run(wait_for_input=asked, timeout=DAYS * 86_400, poll_interval=POLL)
        try:
            outcome = promotion.approve(context, outcome, answer.by, answer.reason)
        except Stale:
            assert outcome.request is not None  # noqa: S101 — an outcome that waits holds what was asked
            outcome = promotion.promote(context, outcome.request, params.gate, params.evaluate.release)
    return outcome


def approve(paths: Paths, version: str | None, reason: str) -> str:
    """Resume the flow run that waits with `version` (by default the one that waits); the version.

    Raises RegistryError where none waits.
    """
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    number, flow_run = waiting(paths, version)
    answer = {"by": getpass.getuser(), "reason": reason}
    try:
        with get_client(sync_client=True) as client:
            done = client.resume_flow_run(UUID(flow_run), run_input=answer)
    except ObjectNotFound:
        raise _gone(number, "Prefect does not know the flow run any more") from None
    if done.status.value != "ACCEPT":
        raise _gone(number, getattr(done.details, "reason", None) or "its flow run does not wait any more")
    return number


def waiting(paths: Paths, version: str | None) -> tuple[str, str]:
    """Version and flow run of the promotion that waits, the last one where `version` is not given."""
    from sightline.registry.ledger import history

    last = {row["version"]: row for row in history(paths)}
    open_ = {number: row for number, row in last.items() if row["decision"] == WAITING}
    number = version or next(reversed(list(open_)), "")
    if number not in open_:
        said = f"version {version} does not wait" if version else "nothing waits"
        raise RegistryError(f"{said} for approval; waiting: {', '.join(open_) or 'none'}")
    return number, open_[number]["evidence"]["asked"]["flow_run"]


def _gone(version: str, why: str) -> RegistryError:
    return RegistryError(f"version {version}: {why}; ask again with `sightline promote {version} --reason …`")
