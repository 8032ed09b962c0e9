"""What a look found, as metrics over time on the version's MLflow run."""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.monitor.outcome import Outcome
    from sightline.tracking.runs import Tracker

PREFIX = "monitor/"


def figures(outcome: Outcome) -> dict[str, float]:
    """The figures of a look, each by its name; those that it could not tell are left out."""
    found: dict[str, float] = {"answers": outcome.seen, "trouble": len(outcome.trouble)}
    if outcome.reference is not None:
        found |= {
            "images_in_bet": outcome.entered,
            "log10_wealth": log10(outcome.wealth),
            "log10_wealth_of_alarm": log10(outcome.threshold),
            "alarm": float(outcome.alarm is not None),
        }
    if outcome.estimate is not None:
        one = outcome.estimate
        found |= {"estimated_accuracy": one.accuracy, "estimated_low": one.low, "estimated_high": one.high}
    if outcome.harm is not None:
        harm = outcome.harm
        found |= {"harm": float(harm.harmed), "audit_labels": harm.labels, "audit_wrong": harm.wrong}
        found["log10_evidence_of_harm"] = log10(harm.e_value)
    return found


def record(tracker: Tracker, outcome: Outcome) -> None:
    """Log the figures of a look, by the number of answers seen.

    Raises RegistryError where the version's run is gone.
    """
    run = str(tracker.version(tracker.classifier_model, outcome.version).run_id)
    tracker.check_open(run)
    tracker.log(run, {PREFIX + name: value for name, value in figures(outcome).items()}, step=outcome.seen)
