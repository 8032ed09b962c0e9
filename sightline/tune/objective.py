"""What recipes are compared by while a search tries them, of the validation images: the task says which figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sightline.heads.known import of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sightline.train.checkpoint import Epoch
    from sightline.train.result import Trained

LOSS = "log loss"
"""At the temperature that fits."""


@dataclass(frozen=True)
class Objective:
    """A figure of the validation images."""

    name: str
    score: str
    """What the score is called by which networks are chosen."""

    @classmethod
    def of_task(cls, task: str) -> Objective:
        """That of a task."""
        head = of(task)
        return cls(head.score if head.is_searched_by_score else LOSS, head.score)

    @property
    def is_score(self) -> bool:
        """Whether it is that score, the larger the better; else a loss."""
        return self.name == self.score

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """The word that Optuna has for it."""
        return "maximize" if self.is_score else "minimize"

    @property
    def extreme(self) -> str:
        """What the best value is called."""
        return "highest" if self.is_score else "lowest"

    def value(self, figures: Epoch | Trained) -> float:
        """That of a network on its way, or at its end."""
        return figures.val_accuracy if self.is_score else figures.val_fitted_loss

    def place(self, value: float) -> float:
        """A number by which values are sorted with the best first."""
        return -value if self.is_score else value

    def best(self, values: Iterable[float]) -> float | None:
        """The best of them; None of none."""
        return min(values, key=self.place, default=None)
