"""What a cached result is worth: the same inputs, the same code, whole files, and under its own name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from torch import nn

from sightline.models.weights import save_weights
from sightline.train.result import RESULT, Trained, finish

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def trained(tmp_path: Path) -> Trained:
    """A stage that is done, with a figure that is no number."""
    folder = tmp_path / "runs" / "scratch" / "key"
    folder.mkdir(parents=True)
    done = Trained(
        stage="scratch",
        path="runs/scratch/key",
        weights=save_weights(nn.Linear(2, 2), folder),
        network="cnn",
        size=16,
        classes=("a", "b"),
        val_accuracy=0.9,
        val_loss=0.1,
        val_fitted_loss=0.1,
        seconds=1.5,
        history=({"epoch": 1, "seconds": 0.1},),
        notes=(("penalty", float("nan")),),
    )
    return replace(finish(done, tmp_path), run="known later")


def test_result_is_whole_where_it_says_what_training_said(tmp_path: Path, trained: Trained) -> None:
    """Another accuracy, other classes, a damaged file of figures or of weights: it is trained again."""
    assert trained.is_whole(tmp_path)
    assert not replace(trained, val_accuracy=0.5).is_whole(tmp_path)
    assert not replace(trained, classes=("b", "a")).is_whole(tmp_path)
    file = tmp_path / trained.path / RESULT
    text = file.read_text(encoding="utf-8")
    for damage in (text.replace("0.9", "0.8"), text[:50], ""):
        file.write_text(damage, encoding="utf-8")
        assert not trained.is_whole(tmp_path)
    file.write_text(text, encoding="utf-8")
    (tmp_path / trained.path / "weights.safetensors").write_bytes(b"x")
    assert not trained.is_whole(tmp_path)
