"""What a training stage leaves behind, and how it is trusted again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from sightline import stored
from sightline.digests import digest_of, file_digest
from sightline.errors import Damaged, ModelError
from sightline.files import write_atomically
from sightline.heads.known import of
from sightline.heads.labels import CLASSIFY
from sightline.models.weights import WEIGHTS

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.models.networks import Network

RESULT, CHECKPOINT = "result.json", "checkpoint.pt"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A finished training stage: a folder with weights, and figures. Small enough to cross a task boundary."""

    stage: str
    """pretrain, transfer, finetune or scratch."""
    path: str
    """Folder of the outputs, relative to the project."""
    weights: str
    """SHA-256 of the weights file."""
    network: str
    size: int
    classes: tuple[str, ...]
    val_accuracy: float
    val_loss: float
    val_fitted_loss: float
    """Log loss at the temperature that fits these answers: unlike `val_loss` it can be compared between stages, of
    which some smooth their labels."""
    task: str = CLASSIFY
    """Which head answers; `val_accuracy` is the score of its task."""
    # What was noted on the way does not decide what follows: trained again, the same weights are the same input.
    seconds: float = field(compare=False)
    history: tuple[dict[str, float], ...] = field(default=(), compare=False)
    notes: tuple[tuple[str, Any], ...] = field(default=(), compare=False)
    """Further figures worth logging."""
    run: str = field(default="", compare=False)
    """MLflow run that recorded the stage."""

    @property
    def is_adopted(self) -> bool:
        """Whether these are weights that were given: nothing was trained, so no figure tells how good they are."""
        return self.stage == "pretrain" and not self.history

    @property
    def words(self) -> str:
        """What came out, in a few words."""
        if self.is_adopted:
            return f"{self.network}, the given weights"
        return f"{self.network}, validation {of(self.task).score} {self.val_accuracy:.3f}"

    def is_whole(self, root: Path) -> bool:
        """Whether weights and figures are there as training left them."""
        try:
            told = stored.unseal(root / self.path / RESULT)
        except Damaged:
            return False
        # The run is known only when the stage is done.
        same = digest_of({**told, "run": ""}) == digest_of({**asdict(self), "run": ""})
        return same and self._has_weights(root)

    def _has_weights(self, root: Path) -> bool:
        path = root / self.path / WEIGHTS
        return path.is_file() and file_digest(path) == self.weights

    def load(self, root: Path) -> Network:
        """The trained network on the CPU, in evaluation mode.

        Raises ModelError where the weights file is not the one that training wrote.
        """
        from safetensors.torch import load_file

        from sightline.models.networks import build

        if not self._has_weights(root):
            raise ModelError(f"{root / self.path / WEIGHTS} is missing or was changed since training: run again")
        model = build(self.task, self.network, len(self.classes), self.size)
        model.load_state_dict(load_file(root / self.path / WEIGHTS))
        return model.eval()


def finish(trained: Trained, root: Path) -> Trained:
    """Record that the stage is complete: the result is written last, and the checkpoint goes."""
    folder = root / trained.path
    write_atomically(folder / RESULT, stored.seal(asdict(trained)))
    (folder / CHECKPOINT).unlink(missing_ok=True)
    return trained
