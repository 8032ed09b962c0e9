"""A checkpoint that a killed run goes on from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Checkpoint:
    """State of an unfinished run in one file; a crash while it is written leaves the one before."""

    path: Path

    def restore(self, model: nn.Module, optimiser: torch.optim.Optimizer) -> list[dict[str, Any]]:
        """Load the state into `model` and `optimiser`; the history so far, empty where there is no checkpoint."""
        if not self.path.is_file():
            return []
        state = torch.load(self.path, map_location="cpu", weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        history: list[dict[str, Any]] = state["history"]
        return history

    def save(self, model: nn.Module, optimiser: torch.optim.Optimizer, history: list[dict[str, Any]]) -> None:
        """Write the state, whole or not at all."""
        scratch = self.path.with_suffix(".tmp")
        with scratch.open("wb") as handle:
            torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(), "history": history}, handle)
            handle.flush()
            os.fsync(handle.fileno())
        scratch.replace(self.path)
