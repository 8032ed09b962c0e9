"""When compiling a network by `torch.compile` pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

GAIN = 0.15
"""Share of a step's time that is surely saved."""
START, EACH = 10.0, 0.5
"""Seconds that compiling takes before and for each layer with weights."""


def cost(model: nn.Module) -> float:
    """Seconds that compiling `model` takes, forward and backward."""
    return START + EACH * sum(1 for part in model.modules() if any(True for _ in part.parameters(recurse=False)))


def reason(error: Exception) -> str:
    """What went wrong, in a line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no word why'}"
