"""A camera of 12 bits, whose grey levels lie in files of 16: from its folder to answers, by the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from commands import asked, call
from conftest import FAST
from PIL import Image

from sightline.config import write_value
from sightline.project import Paths
from sightline.registry.served import served

if TYPE_CHECKING:
    from pathlib import Path

PARTS = {"faint": (300, 500), "bright": (2600, 2900)}
"""Levels of a part by class: on a scale of 65,535, both would be nearly black."""


def part(place: Path, label: str, seed: int) -> None:
    """A photograph of a part on a dark ground, as PNG or TIFF by turns."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(90, 130, (40, 48)).astype(np.uint16)
    row, column = rng.integers(0, 8, 2)
    levels[row : row + 32, column : column + 40] = rng.integers(*PARTS[label], (32, 40))
    levels[0, 0] = 3900
    place.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).save(place.with_suffix((".png", ".tif")[seed % 2]))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_from_deep_images_to_answers(tmp_path: Path) -> None:
    """Both kinds of file are read by the 12 bits that they use, and new ones get their class from the champion."""
    for number, label in enumerate(PARTS):
        for one in range(45):
            part(tmp_path / "photos" / label / f"{one}", label, 1000 * number + one)
        for one in range(6):
            part(tmp_path / "new" / f"{label}{one}", label, 5000 + 1000 * number + one)
    assert "faint 45" in call(tmp_path, "init", "parts", "--images", "photos")
    project = tmp_path / "parts"
    for key, value in {**FAST, "finetune.scratch.learning_rate": 0.01, "finetune.scratch.min_steps": 60}.items():
        write_value(project, key, value)
    outcome = asked(project, "run")["outcome"]
    assert outcome["champion"] == "1", outcome["sentence"]
    assert served(Paths(project)).bundle.joinpath("bundle.json").read_text().count('"white": 4095') == 1
    answers = asked(project, "predict", "../new")
    assert len(answers) == 12
    assert [one["path"] for one in answers if one["label"] not in one["path"]] == []
