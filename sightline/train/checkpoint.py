"""The state of a run, and the checkpoint that a killed run goes on from."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sightline.files import replacing
from sightline.train import group

if TYPE_CHECKING:
    from pathlib import Path

    from torch.optim.swa_utils import AveragedModel


SHA256 = hashlib.sha256().digest_size


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What is told after a pass, or after several short ones."""

    epoch: int
    epochs: int
    step: int
    train_loss: float
    val_loss: float
    val_fitted_loss: float
    """As in `Trained`: what recipes are compared by while they train."""
    val_accuracy: float
    images_per_second: float
    data_share: float
    """Share of the training time that went into making batches instead of learning from them."""
    seconds: float
    """Wall-clock time of a pass."""

    @property
    def rank(self) -> tuple[float, float]:
        """Higher is better on the validation images."""
        return self.val_accuracy, -self.val_loss


@dataclass
class State:
    """Everything that a run carries from step to step."""

    model: nn.Module
    optimiser: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    average: AveragedModel | None
    loss: Tensor
    """Sum of the training loss since the last report."""
    step: int = 0
    reported: int = 0
    """Step of the last report."""
    history: list[Epoch] = field(default_factory=list)
    best: dict[str, Tensor] | None = None
    """Weights of the best report so far, where the run may stop early."""
    learning: nn.Module = field(init=False)
    """`model` as steps call it: with several processes it averages their gradients."""

    def __post_init__(self) -> None:
        self.learning = group.averaging(self.model)

    @property
    def answering(self) -> nn.Module:
        """The network whose answers count: the averaged one where there is one."""
        return self.model if self.average is None else self.average.module

    def values(self) -> dict[str, Any]:
        """The state as plain values and tensors."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": self.average.state_dict() if self.average else None,
            "loss": self.loss,
            "step": self.step,
            "reported": self.reported,
            "history": [asdict(epoch) for epoch in self.history],
            "best": self.best,
            "threads": torch.get_num_threads(),
        }

    def restore(self, values: dict[str, Any]) -> None:
        """Go on from `values`, with as many threads: another number sums in another order."""
        torch.set_num_threads(values["threads"])
        self.model.load_state_dict(values["model"])
        self.optimiser.load_state_dict(values["optimiser"])
        self.scaler.load_state_dict(values["scaler"])
        if self.average is not None:
            self.average.load_state_dict(values["average"])
        self.loss.copy_(values["loss"])
        self.step, self.reported, self.best = values["step"], values["reported"], values["best"]
        self.history = [Epoch(**row) for row in values["history"]]


@dataclass(frozen=True)
class Checkpoint:
    """State of an unfinished run in one file; a crash while it is written leaves the one before."""

    path: Path
    every: float = 30.0
    """Seconds between two of them inside a pass; each report writes one too."""

    def load(self) -> dict[str, Any] | None:
        """The values that were saved last, on the CPU; None where there are none, or damaged ones."""
        content = self.path.read_bytes() if self.path.is_file() else b""
        digest, saved = content[:SHA256], content[SHA256:]
        if digest != hashlib.sha256(saved).digest():
            return None
        values: dict[str, Any] = torch.load(BytesIO(saved), map_location="cpu", weights_only=True)
        return values

    def save(self, values: dict[str, Any]) -> None:
        """Write the values, whole or not at all."""
        buffer = BytesIO()
        torch.save(values, buffer)
        # In one file with what it is the digest of: a kill between two files would cost the run so far.
        with replacing(self.path) as scratch, scratch.open("wb") as handle:
            handle.write(hashlib.sha256(buffer.getbuffer()).digest())
            handle.write(buffer.getbuffer())
