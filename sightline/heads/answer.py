"""An answer, and what a bundle must say for a network's outputs to become one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sightline.heads.conformal import Conformal


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

    @property
    def names(self) -> tuple[str, ...]:
        """The classes that it shows, be there one or several."""
        return (self.label,) if self.labels is None else self.labels

    @property
    def sets(self) -> dict[str, list[str]]:
        """What an answer with several labels has beside the others, for JSON and tables."""
        return {} if self.labels is None else {"labels": list(self.labels)}


class Fitted(Protocol):
    """What was fitted for a network's outputs, as a bundle's card holds it."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the outputs."""
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
