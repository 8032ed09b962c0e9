"""What waits for a person: a promotion that passed, where `gate.approval` says so, or one that lacks test images."""

from __future__ import annotations

from contextvars import copy_context
from dataclasses import replace
from threading import Event, Thread
from typing import TYPE_CHECKING
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput
from prefect.logging import get_run_logger
from pydantic import Field

from sightline import turns
from sightline.errors import Stale
from sightline.registry.ledger import INSUFFICIENT, WAITING
from sightline.registry.promotion import decided
from sightline.report.addresses import address
from sightline.report.gate import write_gate_report
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
"""Seconds between two looks whether somebody has decided."""


class Approval(RunInput):
    """What Prefect's page asks when somebody resumes the run."""

    by: str = "someone on Prefect's page"
    reason: str = ""


class Reasoned(Approval):
    """The same of a version that was not shown to be better: no reason is no approval."""

    reason: str = Field(pattern=r"\S")


def settle(outcome: Outcome, params: Params, context: Context) -> Outcome:
    """Where the promotion waits: show both models' answers, pause this flow run, and finish it once somebody decides.

    In Prefect's page, or anywhere else by `sightline approve`: the ledger tells. What has changed meanwhile is judged,
    and approved, again. A version that lacks test images does not hold the run up where nobody asked for that: it can
    be approved later.
    """
    if outcome.decision == INSUFFICIENT:
        _show(outcome, context, f"`sightline approve {outcome.version} --reason …` makes it the champion")
    while outcome.decision == WAITING:
        request, version = outcome.request, outcome.version
        assert request is not None  # noqa: S101 — an outcome that waits holds what was asked
        answer = _ask(outcome, context, request.flow_run)
        if (elsewhere := decided(context.paths, version, request.flow_run)) is not None:
            return _decided(outcome, elsewhere)
        try:
            outcome = _decided(outcome, promotion.approve(context, version, answer.by, answer.reason))
        except Stale:
            outcome = promotion.promote(context, request, params.gate, params.evaluate.release)
    return outcome


def _ask(outcome: Outcome, context: Context, run: str) -> Approval:
    """What somebody answers in Prefect's page; or whatever, once the ledger says that the version waits no more."""
    asking: type[Approval] = Approval if outcome.judgement and outcome.judgement.decision.promote else Reasoned
    version, why = outcome.version, "" if asking is Approval else " --reason …"
    page = _show(outcome, context, f"resume this run in Prefect's page, or `sightline approve {version}{why}`")
    both = f"Both models' answers, while `sightline report --serve` runs: {address(context.paths, page)}"
    asked = asking.with_initial_data(description=f"Make version {version} the champion? {outcome.words}. {both}")
    ended = Event()
    # Prefect keeps the address of its server in the context.
    look = Thread(target=copy_context().run, args=(_watch, ended, context.paths, version, run), daemon=True)
    with turns.aside(context.paths.root, f"the promotion of version {version}", get_run_logger().warning):
        look.start()
        try:
            return pause_flow_run(wait_for_input=asked, timeout=DAYS * 86_400, poll_interval=POLL)
        finally:
            ended.set()


def _watch(ended: Event, paths: Paths, version: str, run: str) -> None:
    """Resume the flow run once its version waits for it no more."""
    answer = {"by": "the ledger", "reason": "somebody has decided"}
    while not ended.wait(POLL):
        try:
            if decided(paths, version, run) is not None:
                with get_client(sync_client=True) as client:
                    client.resume_flow_run(UUID(run), run_input=answer)
        except Exception:  # noqa: BLE001, S112 — whatever keeps ledger or Prefect from answering, the next look asks again
            continue


def _decided(outcome: Outcome, done: Outcome) -> Outcome:
    """What was decided, with what this run found of the version."""
    messages = outcome.messages + done.messages
    return replace(outcome, champion=done.champion, decision=done.decision, sentence=done.sentence, messages=messages)


def _show(outcome: Outcome, context: Context, remedy: str) -> Path:
    """Write the page for the person who decides, and link it; its path."""
    page = write_gate_report(context.paths, outcome, f"decide-version-{outcome.version}")
    link(context.paths, page, "What waits for a person", "approval")
    get_run_logger().warning(f"version {outcome.version} waits for a person: look at {page}, then {remedy}")
    return page
