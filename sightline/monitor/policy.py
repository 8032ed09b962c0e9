"""When the model is trained again: a pure function of what is known now, with its reasons."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sightline.words import counted

if TYPE_CHECKING:
    from sightline.params import Retrain

GAIN = 0.02
"""Gain of accuracy that a new model is hoped to bring where nothing says how much was lost."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the decision is made from. `sightline why-retrain --set facts.NAME=…` takes each."""

    __pydantic_config__: ClassVar[dict[str, object]] = {"coerce_numbers_to_str": True}

    champion: str | None
    """Version that answers; None where there is none yet."""
    age: float
    """Days since it became champion."""
    harmed: bool
    """Whether audit labels show that it errs more often than it may."""
    lost: float
    """Share of more wrong answers than it may give, by the audit labels; 0 where none."""
    shifted: bool
    """Whether an alarm of the monitor stands."""
    drop: float
    """Accuracy that it is estimated to have lost on the traffic; 0 where that is not known."""
    changed: bool
    """Whether the data set is another one than the last training learned from."""
    new_labels: int
    """Images that were labelled, or labelled otherwise, since the last training."""
    learned: int
    """Images of the data set that the last training learned from."""
    running: str | None
    """A training that runs now."""
    since: float | None
    """Hours since the last training began; None where there was none."""
    spent: float
    """Hours of training in the last 30 days."""
    chance: float
    """That the test release shows a gain of what was lost, or of two points where that is not known."""
    needed: int
    """More labelled images with which it would, in half of cases; 0 where it does."""
    clock_ahead: int = 0
    """Trainings whose beginning lies in the future: a clock was ahead, and their times count for nothing."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Whether to train now, and why."""

    train: bool
    reasons: tuple[str, ...]
    """For it."""
    against: tuple[str, ...]
    """Each alone is enough."""
    ask: int
    """Images whose labels would help: they are put into the queue."""

    @property
    def sentence(self) -> str:
        """All of it."""
        if self.train:
            return f"train: {'; '.join(self.reasons)}"
        wanted = f", although {'; '.join(self.reasons)}" if self.reasons else ""
        why = "; ".join(self.against) or "nothing asks for it"
        more = f"; labels of about {self.ask:,} more images would help" if self.ask else ""
        return f"no training: {why}{wanted}{more}"

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {**asdict(self), "sentence": self.sentence}


def decide(facts: Facts, limits: Retrain) -> Decision:
    """What is to be done.

    Where audit labels show harm a person may decide in the end, so that a release too small to tell holds nothing up.
    """
    reasons, against = tuple(_reasons(facts, limits)), tuple(_against(facts, limits))
    calls = facts.harmed or facts.shifted or reasons
    ask = max(facts.needed, 0 if facts.changed else _enough(facts, limits)) if calls else 0
    return Decision(train=bool(reasons) and not against, reasons=reasons, against=against, ask=ask)


def expected(harmed: bool, lost: float, shifted: bool, drop: float) -> float:  # noqa: FBT001 — facts, by their names
    """The gain that a new model is hoped to bring: what was lost, as far as that is known."""
    return max(GAIN, lost if harmed else 0.0, drop if shifted else 0.0)


def _enough(facts: Facts, limits: Retrain) -> int:
    """New labels that are a reason by themselves."""
    return max(1, round(limits.new_labels * facts.learned))


def _reasons(facts: Facts, limits: Retrain) -> list[str]:
    found = []
    if facts.champion is None:
        found.append("there is no champion yet")
    if facts.harmed:
        found.append(f"audit labels show harm, {_points(facts.lost)} more wrong answers than allowed")
    if facts.shifted and facts.drop >= limits.drop:
        found.append(f"the traffic has shifted, and accuracy is estimated to be {_points(facts.drop)} lower")
    if facts.new_labels >= _enough(facts, limits):
        found.append(f"{counted(facts.new_labels, 'new label')} since the last training, on {facts.learned:,} images")
    if facts.age >= limits.age and facts.new_labels:
        found.append(
            f"the champion is {facts.age:.0f} days old, and there are {counted(facts.new_labels, 'new label')}"
        )
    return found


def _against(facts: Facts, limits: Retrain) -> list[str]:
    found = []
    if facts.running is not None:
        found.append(f"{facts.running} runs")
    # The first champion is compared with none: its gain need not show, and another recipe may bring it.
    if not facts.changed and facts.champion is not None:
        found.append("the data are those of the last training")
    if facts.since is not None and facts.since < limits.cooldown:
        found.append(f"the last training began {facts.since:.1f} hours ago, and {limits.cooldown:g} must pass")
    if facts.spent >= limits.hours:
        found.append(f"{facts.spent:.1f} of {limits.hours:g} hours of training in 30 days are spent")
    if facts.chance < limits.chance and not facts.harmed and facts.champion is not None:
        gain = expected(facts.harmed, facts.lost, facts.shifted, facts.drop)
        found.append(f"the test release would show a gain of {_points(gain)} in {facts.chance:.0%} of cases only")
    return found


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"
