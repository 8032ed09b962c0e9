"""What a promotion came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.registry.blessing import NOT_APPLICABLE
from sightline.registry.ledger import PROMOTED

if TYPE_CHECKING:
    from sightline.registry.blessing import Blessing
    from sightline.registry.candidate import Request
    from sightline.registry.judge import Judgement


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
