"""Toys with several labels: blobs of some of the colours, none included."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from conftest import COLOURS
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 24


def draw(seed: int) -> tuple[Image.Image, list[str]]:
    """A noisy ground with a blob of each chosen colour, and their names; every seed gives another image."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 90, (SIZE, SIZE, 3))
    corners = rng.permutation(4)
    shown = [name for name in COLOURS if rng.random() < 0.45]
    for place, name in zip(corners, shown, strict=False):
        top, left = divmod(int(place), 2)
        row, column = 12 * top + int(rng.integers(0, 4)), 12 * left + int(rng.integers(0, 4))
        pixels[row : row + 8, column : column + 8] = COLOURS[name]
    return Image.fromarray(pixels.astype(np.uint8)), shown


def make_sheets(folder: Path, count: int = 240, first: int = 0) -> Path:
    """Images in a folder and a table beside them with a list of labels for each."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for seed in range(first, first + count):
        image, shown = draw(seed)
        image.save(folder / f"{seed:05d}.png")
        rows.append({"path": f"{seed:05d}.png", "labels": shown})
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "labels.jsonl").write_text(text, encoding="utf-8")
    return folder
