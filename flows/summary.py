"""What a flow came to: light enough to be told without the libraries that made it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What a search for better values came to."""

    sentence: str
    values: dict[str, Any]
    """Keys and values of params.yaml that do better; empty where none were found."""
    words: str
    """The words of `sightline run` that set them."""
    applied: bool
    """Whether they stand in params.yaml now."""
    trials: int
    pruned: int
    """Trials that were given up early."""
    value: float
    """On the validation images: the log loss at the temperature that fits; of boxes the mAP 50."""
    before: float | None
    """That of the present recipe."""
    page: str
