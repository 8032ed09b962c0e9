"""Which version may answer beside the champion before it is one, and until when.

A shadow is heard by nobody: its files must be those that were registered, and the ledger must not have refused it. A
canary answers callers: the ledger must hold a decision on exactly its files that is no refusal, and on record with it
that its integrity and its data passed. A version that was never judged, or of which the ledger cannot be read, is no
canary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.errors import RegistryError
from sightline.registry.blessing import DATA, INTEGRITY, PASSED
from sightline.registry.ledger import PROMOTED, REFUSED, ROLLED_BACK, SET_BACK
from sightline.registry.opening import open_ledger
from sightline.registry.served import answering
from sightline.tracking.versions import classifier_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sightline.project import Paths
    from sightline.registry.ledger import Entry, Identity
    from sightline.serve.batcher import Version

NEWEST = "challenger"
"""What stands for the newest version that may be it."""
REFUSALS = frozenset({REFUSED, SET_BACK, ROLLED_BACK})


@dataclass(frozen=True)
class Record:
    """What the ledger says of the project's classifier."""

    model: str
    champion: Identity | None
    rows: Sequence[Entry]

    def decision(self, version: str) -> str | None:
        """The last word on a version; a rollback promotes one, and is the word on the one that it led away from."""
        word = None
        for row in self.rows:
            if row.version == version:
                word = PROMOTED if row.decision == ROLLED_BACK else row.decision
            elif row.decision == ROLLED_BACK and row.champion_before == version:
                word = ROLLED_BACK
        return word

    def is_champion(self, version: str) -> bool:
        """Whether it is in use."""
        return self.champion is not None and self.champion.version == version

    def against(self, version: str) -> str | None:
        """Why a version answers beside the champion no more; None where it may."""
        if self.is_champion(version):
            return f"version {version} is the champion"
        word = self.decision(version)
        return f"version {version} is {word}" if word in REFUSALS else None

    def against_canary(self, version: str, digest: str) -> str | None:
        """Why a version with that bundle may not answer callers; None where it may."""
        refused = self.against(version)
        if refused is not None:
            return refused
        judged = [row for row in self.rows if row.version == version and row.evidence.get("blessings")]
        if not judged:
            return f"the gate has not judged version {version} yet: `sightline promote {version}` asks"
        if judged[-1].bundle != digest:
            return f"the gate judged another version {version} than the one that is registered now"
        said = {one["name"]: one["verdict"] for one in judged[-1].evidence["blessings"]}
        lacking = [name for name in (INTEGRITY, DATA) if said.get(name) != PASSED]
        return f"version {version} did not pass the check of {' and '.join(lacking)}" if lacking else None


def challenger(paths: Paths, wanted: str = NEWEST, *, canary: bool) -> Version:
    """The challenger, or the version `wanted`, loaded; fit for a canary if that is asked for.

    Raises RegistryError where there is none or it may not answer, and ModelError where its bundle is not whole.
    """
    record = _record(paths)
    number = wanted if wanted != NEWEST else _newest(paths, record)
    refused = record.against(number)
    if refused is None:
        found = answering(paths, number)
        refused = record.against_canary(number, found.digest) if canary else None
        if refused is None:
            return found
    raise RegistryError(f"{refused}: it does not answer beside the champion; name another version, or none")


def over(paths: Paths, version: str) -> str | None:
    """Why a version answers beside the champion no more, by the ledger as it stands; None while it may.

    Raises RegistryError where the ledger cannot be read.
    """
    return _record(paths).against(version)


def _newest(paths: Paths, record: Record) -> str:
    """The newest version that came after the champion and was not refused."""
    from sightline.tracking.runs import connect

    after = int(record.champion.version) if record.champion else 0
    numbers = sorted((int(one.version) for one in connect(paths).versions(record.model)), reverse=True)
    found = next((str(one) for one in numbers if one > after and record.against(str(one)) is None), None)
    if found is None:
        raise RegistryError(
            f"{record.model} has no challenger: no version after champion {after or 'none'} that was not refused; name "
            "one by its number, or wait for the next run"
        )
    return found


def _record(paths: Paths) -> Record:
    model = classifier_of(paths.params.project.name)
    ledger = open_ledger(paths)
    try:
        return Record(model, ledger.standing(model).champion, ledger.history(model))
    finally:
        ledger.close()
