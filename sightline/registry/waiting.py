"""What a person may decide, or has, by the ledger: which promotions wait, what there is to go back to, and who did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.errors import RegistryError
from sightline.registry.ledger import INSUFFICIENT, PROMOTED, ROLLED_BACK, WAITING
from sightline.registry.opening import history, open_ledger
from sightline.tracking.versions import classifier_of

if TYPE_CHECKING:
    from sightline.project import Paths
    from sightline.registry.ledger import Entry, Identity, Ledger


def waiting(paths: Paths, version: str | None) -> tuple[str, dict[str, Any]]:
    """Version and last ledger row of the promotion that waits, the last one where `version` is not given.

    Raises RegistryError where it does not wait, or none does.
    """
    last = {row["version"]: row for row in history(paths)}
    open_ = {number: row for number, row in last.items() if row["decision"] in {WAITING, INSUFFICIENT}}
    number = version or next(reversed(list(open_)), "")
    if number not in open_:
        said = f"version {version} does not wait" if version else "nothing waits"
        raise RegistryError(f"{said} for approval; waiting: {', '.join(open_) or 'none'}")
    return number, open_[number]


def earlier(ledger: Ledger, model: str) -> tuple[str | None, Identity]:
    """The champion's version, and the champion before it; raises RegistryError where there was none."""
    standing = ledger.standing(model)
    champion = standing.champion.version if standing.champion else None
    if standing.previous is None:
        now = f"version {champion}" if champion else "none"
        raise RegistryError(f"{model} has no earlier champion to go back to; the champion is {now}")
    return champion, standing.previous


def rolled_back(ledger: Ledger, model: str, version: str) -> Entry | None:
    """The rollback that led away from a version, if nobody has promoted it since."""
    last = None
    for row in ledger.history(model):
        if row.decision == ROLLED_BACK and row.champion_before == version:
            last = row
        elif row.version == version and row.decision in {PROMOTED, ROLLED_BACK}:
            last = None
    return last


def check_earlier(paths: Paths) -> None:
    """Raises as `earlier`, for the project's classifier."""
    ledger = open_ledger(paths)
    try:
        earlier(ledger, classifier_of(paths.params.project.name))
    finally:
        ledger.close()
