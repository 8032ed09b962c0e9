"""The promotion flow: one registered version through the gate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import flow
from prefect.artifacts import create_markdown_artifact

from flows.start import begin
from tasks import promotion
from tasks.journal import ended

if TYPE_CHECKING:
    from sightline.promotion import Outcome


@flow(name="promote", flow_run_name="promote-version-{version}")
def promote(version: str, reason: str) -> Outcome:
    """Make a version the champion where it passes the gate.

    Args:
        version: Version of the classifier in the registry, such as "3".
        reason: Why it is asked for; it stands in the ledger.
    """
    context, params = begin("promote", None)
    with ended(context):
        outcome = promotion.promote(version, params.gate, params.evaluate.release, reason, context=context)
        create_markdown_artifact(f"# Version {version}\n\n{outcome.sentence}\n", key="promotion")
        return outcome
