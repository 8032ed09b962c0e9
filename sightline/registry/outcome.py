"""What a promotion came to, and what is said of versions since: the ledger's word, whichever way it came."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.registry import strangers
from sightline.registry.blessing import NOT_APPLICABLE
from sightline.registry.ledger import CHANGES, PROMOTED, ROLLED_BACK, UNCHANGED
from sightline.tracking.versions import VERDICT_TAG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sightline.registry.blessing import Blessing
    from sightline.registry.candidate import Request
    from sightline.registry.judge import Judgement
    from sightline.registry.ledger import Entry, Ledger
    from sightline.tracking.runs import Tracker

CHAMPION, BEFORE, LEFT = "champion", "no longer champion", "rolled back from"
NOW = "**Now:** "
"""Begins the paragraph that stands before what the gate said."""


@dataclass(frozen=True)
class Outcome:
    """What a promotion came to."""

    version: str
    champion: str | None
    decision: str
    """A word of the ledger: promoted, refused, insufficient, waiting, unchanged or set back."""
    sentence: str
    blessings: tuple[Blessing, ...] = ()
    messages: tuple[str, ...] = ()
    """What else happened: requests by hand that were answered."""
    request: Request | None = None
    judgement: Judgement | None = None
    """What a person is asked to approve."""

    @property
    def words(self) -> str:
        """What was decided, and by which checks, in a few words: their sentences stand in the table."""
        if not self.blessings:
            return self.sentence
        asked = [one for one in self.blessings if one.verdict != NOT_APPLICABLE]
        override = self.request.override if self.request else ()
        blocking = [one.name for one in self.blessings if one.blocks and one.name not in override]
        aside = [one.name for one in self.blessings if one.blocks and one.name in override]
        why = "in spite of" if self.promoted else "for"  # a person may take what lacks images
        said = f"version {self.version} is {self.decision}" + (f" {why} {', '.join(blocking)}" if blocking else "")
        said += f", OVERRIDDEN: {', '.join(aside)}" if aside else ""
        said += f"; {sum(not one.blocks for one in asked)} of {len(asked)} checks passed"
        idle = len(self.blessings) - len(asked)
        said += f", {idle} had nothing to compare with" if idle else ""
        return "; ".join((said, *(one.warning for one in self.blessings if one.warning)))

    @property
    def promoted(self) -> bool:
        """Whether the version became champion now."""
        return self.decision == PROMOTED


def standings(rows: Iterable[Entry]) -> dict[str, str]:
    """Version → what it is now, from a model's rows in their order: champion, a former one, or the last decision."""
    found: dict[str, str] = {}
    for row in rows:
        if row.decision in CHANGES:
            if row.champion_before is not None:
                found[row.champion_before] = LEFT if row.decision == ROLLED_BACK else BEFORE
            found[row.version] = CHAMPION
        elif found.get(row.version) != CHAMPION:
            found[row.version] = row.decision
    return found


def describe(tracker: Tracker, ledger: Ledger, *versions: str) -> None:
    """Say on MLflow's pages of `versions` what the ledger made of them last.

    By default of the champion, and of the one before it.
    """
    model = tracker.classifier_model
    rows = [row for row in ledger.history(model) if row.decision != UNCHANGED]
    now = standings(rows)
    changed = next((row for row in reversed(rows) if row.decision in CHANGES), None)
    if not versions and changed is not None:
        versions = tuple(one for one in (changed.version, changed.champion_before) if one is not None)
    for version in versions:
        # Another one may have the number by now.
        if strangers.registered(tracker, ledger.identity(model, version)) is not None:
            row = next(row for row in reversed(rows) if _is_about(row, version))
            _tell(tracker, version, now[version], row)


def _is_about(row: Entry, version: str) -> bool:
    return row.version == version or (row.decision in CHANGES and row.champion_before == version)


def _tell(tracker: Tracker, version: str, now: str, row: Entry) -> None:
    found = tracker.version(tracker.classifier_model, version)
    before = str(found.description or "")
    if before.startswith(NOW):
        before = before.partition("\n\n")[2]
    by = "" if row.version == version else f", for version {row.version}"
    said = f"{now} ({row.at[:16].replace('T', ' ')}{by}): {row.reason}"
    verdict = {CHAMPION: PROMOTED, BEFORE: found.tags.get(VERDICT_TAG, PROMOTED), LEFT: ROLLED_BACK}.get(now, now)
    tracker.describe_version(version, verdict, f"{NOW}{' '.join(said.split())}\n\n{before}")
    if row.version == version:
        tracker.tag_version(tracker.classifier_model, version, {"gate": row.reason[:5000]})
