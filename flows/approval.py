"""What waits for a person: a promotion that passed, where `gate.approval` says so, or one that lacks test images."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING
from uuid import UUID

from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from prefect.logging import get_run_logger

from sightline import turns
from sightline.errors import RegistryError, Stale
from sightline.registry import promotion as promotion_of
from sightline.registry.ledger import INSUFFICIENT, WAITING
from sightline.registry.waiting import waiting
from sightline.report.addresses import address
from sightline.report.gate import write_gate_report
from sightline.tracking.runs import connect
from tasks import promotion
from tasks.pages import link

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


def settle(outcome: Outcome, params: Params, context: Context) -> Outcome:
    """Where the promotion waits: show both models' answers, pause this flow run, and finish it once it is approved.

    What has changed meanwhile is judged, and approved, again. A version that lacks test images does not hold the run up
    where nobody asked for that: it can be approved later.
    """
    if outcome.decision == INSUFFICIENT:
        _show(outcome, context, f"`sightline approve {outcome.version} --reason …` makes it the champion")
    while outcome.decision == WAITING:
        page = _show(outcome, context, f"resume this run in Prefect's page, or `sightline approve {outcome.version}`")
        both = f"Both models' answers, while `sightline report --serve` runs: {address(context.paths, page)}"
        words = f"Make version {outcome.version} the champion? {outcome.words}. {both}"
        asked = Approval.with_initial_data(description=words)
        with turns.aside(context.paths.root, f"the promotion of version {outcome.version}", get_run_logger().warning):
            answer = pause_flow_run(wait_for_input=asked, timeout=DAYS * 86_400, poll_interval=POLL)
        try:
            outcome = promotion.approve(context, outcome, answer.by, answer.reason)
        except Stale:
            assert outcome.request is not None  # noqa: S101 — an outcome that waits holds what was asked
            outcome = promotion.promote(context, outcome.request, params.gate, params.evaluate.release)
    return outcome


def _show(outcome: Outcome, context: Context, remedy: str) -> Path:
    """Write the page for the person who decides, and link it; its path."""
    page = write_gate_report(context.paths, outcome, f"decide-version-{outcome.version}")
    link(context.paths, page, "What waits for a person", "approval")
    get_run_logger().warning(f"version {outcome.version} waits for a person: look at {page}, then {remedy}")
    return page


def approve(paths: Paths, version: str | None, reason: str) -> str:
    """Let the promotion of `version` (by default the last one that waits) go on; what happened, in words.

    A flow run that waits is resumed; a version that lacked test images becomes champion at once. Raises RegistryError
    where none waits.
    """
    number, row = waiting(paths, version)
    if row["decision"] == WAITING:
        _resume(number, row["evidence"]["asked"]["flow_run"], reason)
        return f"version {number} is approved: its flow run goes on"
    if not reason:
        raise RegistryError(
            f"version {number} is not shown to be better: say why with --reason, it stands in the ledger"
        )
    outcome = promotion_of.approve_insufficient(connect(paths), number, getpass.getuser(), reason)
    return f"version {outcome.version} is approved and champion now"


def _resume(number: str, flow_run: str, reason: str) -> None:
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    answer = {"by": getpass.getuser(), "reason": reason}
    try:
        with get_client(sync_client=True) as client:
            done = client.resume_flow_run(UUID(flow_run), run_input=answer)
    except ObjectNotFound:
        raise _gone(number, "Prefect does not know the flow run any more") from None
    if done.status.value != "ACCEPT":
        raise _gone(number, getattr(done.details, "reason", None) or "its flow run does not wait any more")


def _gone(version: str, why: str) -> RegistryError:
    return RegistryError(f"version {version}: {why}; ask again with `sightline promote {version} --reason …`")
