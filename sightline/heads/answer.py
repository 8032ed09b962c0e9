"""An answer, and what a bundle must say for a network's outputs to become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from sightline.heads.conformal import Conformal


class Seen(NamedTuple):
    """One object that the model sees."""

    label: str
    probability: float
    """That it is right."""
    x1: float
    y1: float
    x2: float
    y2: float
    """Left, top, right and bottom edge in pixels of the upright image."""


@dataclass(frozen=True)
class Answer:
    """What the model says of one image."""

    label: str
    """The class; of several the names with semicolons between them, as a table of labels has them."""
    probability: float
    """That the label is right; of several that of the least sure decision, whether a class is in it or not."""
    probabilities: tuple[float, ...]
    """One for each class, in the order of the card."""
    abstain: bool | None
    """Whether a person had better answer: too unsure for the accuracy that was wanted, or foreign; None if untold."""
    likely: tuple[str, ...] | None
    """Classes of the conformal set, the answer among them; None where the card cannot tell."""
    foreign: bool | None
    """Whether the image is unlike those that the model knows; None where the bundle cannot tell."""
    foreign_score: float | None
    """How unlike; the bundle's threshold is 1."""
    labels: tuple[str, ...] | None = None
    """The classes that it shows, where there may be several; None where each image has one."""
    boxes: tuple[Seen, ...] | None = None
    """Where it shows them, the surest first; None where that is not asked."""

    @property
    def names(self) -> tuple[str, ...]:
        """The classes that it shows, be there one or several."""
        return (self.label,) if self.labels is None else self.labels

    @property
    def sets(self) -> dict[str, list[Any]]:
        """What an answer with several labels, or with boxes, has beside the others, for JSON and tables."""
        found: dict[str, list[Any]] = {} if self.labels is None else {"labels": list(self.labels)}
        return found if self.boxes is None else {**found, "boxes": [box._asdict() for box in self.boxes]}


class Fitted(Protocol):
    """What was fitted for a network's outputs, as a bundle's card holds it."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the outputs."""
        ...

    @property
    def size(self) -> int:
        """Side of the squares that the network takes, pixels."""
        ...

    @property
    def temperature(self) -> float:
        """By which logits are divided."""
        ...

    @property
    def abstain_below(self) -> float | None:
        """Least probability of a sure answer."""
        ...

    @property
    def conformal(self) -> Conformal | None:
        """What makes the sets of likely classes."""
        ...

    @property
    def decoding(self) -> dict[str, Any] | None:
        """What else the task needs, as it fitted it itself."""
        ...
