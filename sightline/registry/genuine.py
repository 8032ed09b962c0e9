"""Whether the stored files of a version are those that were registered, and its code ours: asked before any is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.digests import tree_digest
from sightline.errors import RegistryError
from sightline.models import sealed

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.registry.ledger import Ledger
    from sightline.tracking.runs import Tracker


@dataclass(frozen=True)
class Genuine:
    """A version whose every file was verified."""

    bundle: Path
    """Folder of what is loaded."""
    digest: str
    """Its `tree_digest`."""
    seals: dict[str, str]
    """SHA-256 of every file of the version."""


def verify_version(tracker: Tracker, ledger: Ledger, version: str) -> Genuine:
    """Every file of a version compared with what was recorded when it was registered, and when it was judged.

    Of code in it, which others may serve, the ledger must know that it was ours when the version was judged, or else it
    must be as ours is now. Raises RegistryError or ModelError with the file that differs and what helps.
    """
    model = tracker.classifier_model
    bundle, found = tracker.sealed(model, version)
    digest = tree_digest(bundle)
    known = ledger.seals(model, version, digest)
    if known is None:
        sealed.refuse_strange_code(bundle.parents[1])
        return Genuine(bundle, digest, found)
    other = sealed.changed(known, found)
    if other is not None:
        raise RegistryError(
            f"{other} of {model} version {version} in {bundle.parents[1]} was changed since the ledger recorded it: "
            "do not use it; put the artifacts back, or train and register it again"
        )
    return Genuine(bundle, digest, found)
