"""When compiling a network by `torch.compile` pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

GAIN = 0.2
"""Share of a step's time that is saved: a third of ResNet-50's, a quarter of a small one's (docs/performance.md)."""
START, EACH = 10.0, 0.5
"""Seconds that compiling takes before and for each layer with weights, on few cores; 16 take half of that."""


def cost(model: nn.Module) -> float:
    """Seconds that compiling `model` takes, forward and backward."""
    return START + EACH * sum(1 for part in model.modules() if any(True for _ in part.parameters(recurse=False)))


def reason(error: Exception) -> str:
    """What went wrong, in a line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no word why'}"
