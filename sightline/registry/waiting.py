"""What a person may decide, or has, by the ledger: which promotions wait, what there is to go back to, and who did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.errors import RegistryError
from sightline.registry.ledger import INSUFFICIENT, PROMOTED, ROLLED_BACK, WAITING
from sightline.registry.opening import history, open_ledger
from sightline.tracking.versions import classifier_of

if TYPE_CHECKING:
    from sightline.project import Paths
    from sightline.registry.ledger import Entry, Identity, Ledger

LED_BACK = "rolled back from version"


def waiting(paths: Paths, version: str | None) -> str:
    """The version that waits for a person: `version`, or where none is given the one that was judged last.

    Raises RegistryError where it does not wait, or none does.
    """
    last: dict[str, str] = {}
    for row in history(paths):
        last.pop(row["version"], None)  # so that versions stand in the order of their last rows
        last[row["version"]] = row["decision"]
    open_ = [number for number, decision in last.items() if decision in {WAITING, INSUFFICIENT}]
    number = version or next(reversed(open_), "")
    if number not in open_:
        said = f"version {version} does not wait" if version else "nothing waits"
        raise RegistryError(f"{said} for approval; waiting: {', '.join(open_) or 'none'}")
    return number


def last_row(ledger: Ledger, model: str, version: str) -> Entry | None:
    """The ledger's last word on a version; None where it has none."""
    return {entry.version: entry for entry in ledger.history(model)}.get(version)


def earlier(ledger: Ledger, model: str) -> tuple[str | None, Identity]:
    """The champion's version, and the champion before it; raises RegistryError where there was none."""
    standing = ledger.standing(model)
    champion = standing.champion.version if standing.champion else None
    if standing.previous is None:
        now = f"version {champion}" if champion else "none"
        raise RegistryError(f"{model} has no earlier champion to go back to; the champion is {now}")
    return champion, standing.previous


def declined(ledger: Ledger, model: str, version: str) -> str | None:
    """That a person rolled back from a version, or refused it, in words; None where it was asked for since."""
    row = _rolled_back(ledger, model, version)
    if row is not None:
        why = row.reason.partition(f": {LED_BACK}")[0]
        return f"it was rolled back from on {_when(row)} ({why})"
    judged = [row for row in ledger.history(model) if row.version == version and row.evidence.get("blessings")]
    refused = judged[-1].evidence.get("refused") if judged else None
    return f"{refused['by']} refused it on {_when(judged[-1])} ({refused['reason']})" if refused else None


def _when(row: Entry) -> str:
    return row.at[:16].replace("T", " ")


def _rolled_back(ledger: Ledger, model: str, version: str) -> Entry | None:
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
