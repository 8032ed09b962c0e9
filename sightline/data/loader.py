"""From shards to tensors: training, validation and calibration images; test images open in `evaluate/release`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Images:
    """Images of one role: `pixels` uint8 (N, 3, H, W) and `labels` int64 (N,), both on the CPU."""

    pixels: Tensor
    labels: Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


def load(folder: Path, role: str) -> Images:
    """The images of `role` in the shard folder.

    Raises PermissionError for the test role: whoever trains or tunes has no business there.
    """
    if role == "test":
        raise PermissionError(f"{folder}: the test images are opened by evaluation alone (sightline.evaluate.release)")
    return load_any(folder, role)


def load_any(folder: Path, role: str) -> Images:
    """`load` for every role; `evaluate.release` is its only other caller."""
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    size = index["size"]
    shards = [shard for shard in index["shards"] if shard["role"] == role]
    total = sum(shard["rows"] for shard in shards)
    pixels = np.empty((total, size, size, 3), dtype=np.uint8)
    labels = np.empty(total, dtype=np.int64)
    start = 0
    for shard in shards:
        end = start + shard["rows"]
        pixels[start:end] = np.load(folder / f"{shard['name']}.npy", mmap_mode="r")
        labels[start:end] = np.load(folder / f"{shard['name']}.labels.npy")
        start = end
    # NCHW by shape, channels last in memory: what the convolutions want.
    return Images(torch.from_numpy(pixels).permute(0, 3, 1, 2), torch.from_numpy(labels), tuple(index["classes"]))
