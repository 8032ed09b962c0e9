"""From the answers to a camera's frames to appearances: one alarm for each, however long it stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from sightline import Answer

FOREIGN = "unlike everything known"
"""What an alarm is about where the model knows no name for it."""


@dataclass(frozen=True)
class Values:
    """What the params file says."""

    run: dict[str, Any]
    classes: list[str]
    foreign: bool
    least: float
    confirm: int
    gap: int

    def __post_init__(self) -> None:
        if not self.classes and not self.foreign:
            raise ValueError("classes is empty and foreign is false: nothing would raise an alarm")
        if self.confirm < 1 or self.gap < 0:
            raise ValueError(f"confirm {self.confirm} has to be 1 at least, gap {self.gap} 0")


@dataclass(frozen=True)
class Alarm:
    """Something appeared."""

    camera: str
    what: str
    first: Path
    """The frame in which it was seen first …"""
    frame: Path
    """… and of those until it was told the one that shows it best."""
    sureness: float
    """There: probability of the class, or how foreign the frame is (1 is the bound)."""


@dataclass
class _Appearance:
    first: Path
    last: int
    """Number of the frame in which it was seen last."""
    best: Path
    sureness: float
    seen: int = 0


def alarms(
    camera: str, frames: Iterable[tuple[Path, Answer]], classes: tuple[str, ...], asked: Values
) -> Iterator[Alarm]:
    """The alarms of one camera, as its frames come in their order; `classes` are the model's."""
    there: dict[str, _Appearance] = {}
    for number, (frame, answer) in enumerate(frames):
        for what, sureness in shown(answer, classes, asked).items():
            one = there.get(what)
            if one is None or number - one.last > asked.gap + 1:
                one = there[what] = _Appearance(frame, number, frame, sureness)
            one.seen, one.last = one.seen + 1, number
            if sureness > one.sureness:
                one.best, one.sureness = frame, sureness
            if one.seen == asked.confirm:
                yield Alarm(camera, what, one.first, one.best, one.sureness)


def shown(answer: Answer, classes: tuple[str, ...], asked: Values) -> dict[str, float]:
    """What a frame shows of that which raises alarms, and how surely.

    A foreign frame is called that and nothing else: what the model takes it for means little.
    """
    if answer.foreign:
        return {FOREIGN: float(answer.foreign_score or 0.0)} if asked.foreign else {}
    probable = dict(zip(classes, answer.probabilities, strict=True))
    named = [name for name in answer.names if name in asked.classes]
    return {name: probable[name] for name in named if probable[name] >= asked.least}
