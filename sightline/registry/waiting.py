"""Which promotions wait for a person, by the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.errors import RegistryError
from sightline.registry.ledger import INSUFFICIENT, WAITING, history

if TYPE_CHECKING:
    from sightline.project import Paths


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
