"""The promotion flow: one registered version through the gate."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Any, Literal

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.runtime import flow_run

from flows.approval import settle
from flows.start import begin, in_turn
from sightline.registry.candidate import Request
from sightline.report.gate import markdown, write_gate_report
from sightline.tracking.runs import connect
from tasks import promotion
from tasks.journal import ended

if TYPE_CHECKING:
    from sightline.registry.outcome import Outcome


@flow(name="promote", flow_run_name="promote-version-{version}")
def promote(
    version: str | int,
    reason: str,
    rule: Literal["better", "no_worse"] = "better",
    override: list[str] | None = None,
    approval: bool | None = None,  # noqa: FBT001 — Prefect's page asks for flow parameters by name
    overrides: dict[str, Any] | None = None,
) -> Outcome:
    """Make a version the champion where it passes the gate.

    Args:
        version: Version of the classifier in the registry, such as "3"; Prefect's command line makes a number of it.
        reason: Why it is asked for; it stands in the ledger.
        rule: better, or no_worse for a fix or a smaller model.
        override: Checks that a person sets aside; loud, and recorded.
        approval: Whether a person must approve; by default what gate.approval says.
        overrides: Values for this run by their dotted names, such as {"evaluate.release": "r2"}.
    """
    version = str(version)
    with in_turn(f"the promotion of version {version}"):
        asked = {} if approval is None else {"gate.approval": approval}
        context, params = begin("promote", {**(overrides or {}), **asked})
        request = Request(
            version=version, reason=reason, actor=getpass.getuser(), rule=rule, override=tuple(override or ())
        )
        with ended(context):
            outcome = promotion.promote(context, request, params.gate, params.evaluate.release)
            outcome = settle(outcome, params, context)
            write_gate_report(context.paths, outcome, str(flow_run.get_name()))
            create_markdown_artifact(markdown(outcome), key="promotion")
            connect(context.paths).describe_version(version, outcome.decision, markdown(outcome))
            return outcome
