"""Versions that bear the number of a champion and are not it: a registry was renamed, emptied, restored, exchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.errors import RegistryError

if TYPE_CHECKING:
    from sightline.registry.ledger import Identity
    from sightline.tracking.runs import Tracker


def registered(tracker: Tracker, crowned: Identity | None) -> str | None:
    """The number by which the registry knows what was made champion; None where it holds something else, or nothing."""
    if crowned is None:
        return None
    model, number = tracker.classifier_model, crowned.version
    try:
        weights = tracker.version(model, number).tags.get("weights")
    except RegistryError:
        return None
    digest = tracker.digest(model, number) if crowned.bundle else None
    return number if crowned.is_same(digest, weights) else None


def told(tracker: Tracker, crowned: Identity | None) -> str | None:
    """That the champion is not in the registry, in a sentence with what helps; None where it is."""
    if crowned is None or registered(tracker, crowned):
        return None
    model, number = tracker.classifier_model, crowned.version
    digest = tracker.digest(model, number)
    present = f"what MLflow has under that number is another bundle ({digest[:12]}…)" if digest else "MLflow has none"
    # A number that is taken cannot be given to what the next run registers.
    instead = "delete what is there and run again" if digest else "run again"
    return (
        f"the ledger made {model} version {number} ({(crowned.bundle or crowned.weights or '?')[:12]}…) champion, "
        f"and {present}: the registered model was renamed, deleted or restored, or two MLflow stores share this "
        f"ledger. Put the old store back; or {instead}, so that a version is registered under a number N of its own, "
        "and `sightline promote N --rule no_worse --reason WHY`"
    )
