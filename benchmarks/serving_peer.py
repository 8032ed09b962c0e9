"""A plain torch model, for the servers of other libraries that `serving.py` starts as its peers."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import torch
from PIL import Image

from sightline.models.operators import ensure
from sightline.models.zoo import build

WAIT = 0.01
"""Seconds that a request waits for others at most."""


class Model:
    """What every peer does with a batch: Pillow decodes, torch answers as it comes, with random weights."""

    def __init__(self, network: str, size: int) -> None:
        ensure()
        torch.manual_seed(0)
        self.size, self.network = size, build(network, 10, size).eval()

    def read(self, data: bytes) -> torch.Tensor:
        """3×size×size, 0 … 1."""
        image = Image.open(io.BytesIO(data)).convert("RGB").resize((self.size, self.size))
        return torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255

    @torch.inference_mode()
    def answers(self, images: list[torch.Tensor]) -> list[dict[str, Any]]:
        """Of each the class and its probability."""
        sure, place = self.network(torch.stack(images)).softmax(1).max(1)
        return [{"label": label, "probability": one} for one, label in zip(sure.tolist(), place.tolist(), strict=True)]
