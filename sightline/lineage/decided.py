"""What the promotion ledger says of one version."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sightline.errors import SightlineError
from sightline.registry.opening import open_ledger

if TYPE_CHECKING:
    from sightline.project import Paths


def decisions(paths: Paths, model: str, version: str, missing: list[str]) -> dict[str, Any]:
    """The ledger's rows of a version, and the last of them as what the gate said."""
    try:
        ledger = open_ledger(paths)
    except SightlineError as error:
        missing.append(f"the promotion ledger: {error}")
        return {"gate": None, "ledger": []}
    try:
        rows = [asdict(entry) for entry in ledger.history(model) if entry.version == version]
        champion = ledger.champion(model)
    finally:
        ledger.close()
    if champion == version and not rows:
        missing.append("the ledger holds no row of this version")
    last = rows[-1] if rows else None
    gate = last and {
        "decision": last["decision"],
        "sentence": last["reason"],
        "at": last["at"],
        "against": last["champion_before"],
    }
    return {"gate": gate, "ledger": rows}
