"""The weights of a network as a file without pickle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.digests import file_digest
from sightline.files import replacing

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

WEIGHTS = "weights.safetensors"


def save_weights(model: nn.Module, folder: Path) -> str:
    """Write the weights of `model` without pickle; their digest."""
    from safetensors.torch import save_file

    with replacing(folder / WEIGHTS) as scratch:
        save_file({name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}, scratch)
    return file_digest(folder / WEIGHTS)
