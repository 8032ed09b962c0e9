"""What a training flow came to: light enough to be told without the libraries that made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.registry.outcome import Outcome
    from sightline.report.page import Score, StageRow


@dataclass(frozen=True)
class Summary:
    """What a training flow came to."""

    rows: tuple[StageRow, ...]
    backbone_accuracy: float | None
    scores: tuple[Score, ...]
    choice: str
    outcome: Outcome
    report: str
    findings: tuple[str, ...] = ()
    """What validation told of the data, a sentence each."""
