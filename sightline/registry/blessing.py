"""Blessings: what a version must have shown, each by name, before it may become champion.

The list is a constant and not a value that users change: a check that did not run blocks like one that failed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from sightline.errors import RegistryError
from sightline.words import brief, suggestion

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

PASSED, FAILED, INSUFFICIENT, MISSING = "passed", "failed", "insufficient", "missing"
NOT_APPLICABLE: Final = "not applicable"
INTEGRITY, DATA, OVERALL, FRESH = "integrity", "data", "overall", "fresh data"
SLICES, CALIBRATION, ROBUSTNESS, SERVING, COST = "slices", "calibration", "robustness", "serving form", "cost"
REQUIRED = (INTEGRITY, DATA, OVERALL, FRESH, SLICES, CALIBRATION, ROBUSTNESS, SERVING, COST)
ANSWERED = (INTEGRITY, DATA, OVERALL)
"""Those that always have something to say: `not applicable` blocks there."""
NO_CHAMPION = "no champion to compare with"
WORDS = 25
"""A check's sentence has no more; where there is more to say, figures and page have all of it."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What evidence is about: a blessing counts only for the version, the data and the release that it names."""

    data: str
    """DVC digest of the manifest that the version was trained on."""
    code: str
    """Digest of the code that trained it."""
    weights: str
    """SHA-256 of the weights file in the registry."""
    release: str
    """Digest of the test release."""


@dataclass(frozen=True, kw_only=True)
class Blessing:
    """The outcome of one check of one version."""

    name: str
    verdict: Literal["passed", "failed", "insufficient", "missing", "not applicable"]
    """`failed`: shown to be harmful, or not what was asked for; `insufficient`: too few images to tell; `missing`: the
    check did not run; `not applicable`: nothing to compare with, which blocks nothing and counts for nothing."""
    sentence: str
    """For people, in 25 words at most."""
    figures: dict[str, Any] = field(default_factory=dict)
    digests: Bound | None = None
    warning: str = ""
    """What stands in the decision's headline although it blocks nothing."""

    def __post_init__(self) -> None:
        """Keep the sentence short, however many faults or lines of an error there are."""
        short = brief(self.sentence, WORDS)
        if short != self.sentence:
            object.__setattr__(self, "figures", {**self.figures, "whole": self.sentence})
            object.__setattr__(self, "sentence", short)

    @property
    def blocks(self) -> bool:
        """Whether a version cannot become champion with it."""
        return self.verdict != PASSED and (self.verdict != NOT_APPLICABLE or self.name in ANSWERED)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What all blessings together say."""

    verdict: Literal["passed", "failed", "insufficient"]
    sentence: str
    blessings: tuple[Blessing, ...]
    overridden: tuple[str, ...] = ()
    """Blessings that a person set aside."""

    @property
    def promote(self) -> bool:
        """Whether the version may become champion."""
        return self.verdict == PASSED


def check_names(override: Sequence[str]) -> None:
    """Raises RegistryError where the gate has no check of such a name."""
    for name in override:
        if name not in REQUIRED:
            near = suggestion(name, REQUIRED)
            raise RegistryError(f"override {name}: there is no such check{near}; there are {', '.join(REQUIRED)}")


def decide(blessings: Sequence[Blessing], bound: Bound, override: Collection[str] = ()) -> Decision:
    """Whether all required blessings are present and bound to `bound`, and none blocks that is not in `override`.

    The rule's own sentence leads; every check that blocks is named with its reason.
    """
    judged = tuple(_judged(name, blessings, bound) for name in REQUIRED)
    blocking = [one for one in judged if one.blocks]
    aside = tuple(one.name for one in blocking if one.name in override)
    left = [one for one in blocking if one.name not in override]
    (overall,) = (one for one in judged if one.name == OVERALL)
    if not left:
        loud = [f"OVERRIDDEN {one.name}: {one.sentence}" for one in blocking]
        sentence = "; ".join((overall.sentence, *_warnings(judged), *(loud or [_counted(judged)])))
        return Decision(verdict="passed", sentence=sentence, blessings=judged, overridden=aside)
    # A comparison that was not asked for because of another check is no reason of its own.
    reasons = [one for one in left if one.verdict != NOT_APPLICABLE] or left
    waits = all(one.verdict == INSUFFICIENT for one in reasons)
    sentence = "; ".join(_reasons(reasons))
    return Decision(
        verdict="insufficient" if waits else "failed",
        sentence=f"{sentence}; it stays challenger and waits for a person" if waits else sentence,
        blessings=judged,
        overridden=aside,
    )


def _warnings(judged: Sequence[Blessing]) -> list[str]:
    return [one.warning for one in judged if one.warning]


def _counted(judged: Sequence[Blessing]) -> str:
    """How many checks passed; those that had nothing to compare with are counted apart."""
    idle = sum(one.verdict == NOT_APPLICABLE for one in judged)
    said = f"all {len(judged) - idle} checks passed"
    return f"{said}, {idle} had nothing to compare with" if idle else said


def _judged(name: str, blessings: Sequence[Blessing], bound: Bound) -> Blessing:
    """The blessing of that name; `missing` where there is not exactly one, or where it is about something else."""
    found = [one for one in blessings if one.name == name]
    if len(found) != 1:
        said = "the check did not run" if not found else f"the check answered {len(found)} times"
        return Blessing(name=name, verdict="missing", sentence=f"{said}, and counts as failed", digests=bound)
    (one,) = found
    if one.digests == bound:
        return one
    other = one.digests
    parts = ("data", "code", "weights", "release")
    differs = [part for part in parts if other is None or getattr(other, part) != getattr(bound, part)]
    said = f"the check is about another {' and '.join(differs)} than this version's"
    return Blessing(name=name, verdict="missing", sentence=said, figures=one.figures, digests=other)


def _reasons(blocking: Sequence[Blessing]) -> list[str]:
    """Each sentence once, with the names of the checks that say it; the rule of the comparison needs no name."""
    said: dict[tuple[str, str], list[str]] = {}
    for one in blocking:
        said.setdefault((one.verdict, one.sentence), []).append(one.name)
    return [
        sentence if who == [OVERALL] and verdict != MISSING else f"{', '.join(who)}: {sentence}"
        for (verdict, sentence), who in said.items()
    ]
