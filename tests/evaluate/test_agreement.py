"""Serving form and training form."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest
import torch

from sightline.data.ingest import ingest
from sightline.data.shards import preprocess
from sightline.evaluate import agreement
from sightline.models.bundle import Card
from sightline.models.predictor import Predictor
from sightline.models.zoo import build
from sightline.train.inference import predict

if TYPE_CHECKING:
    from sightline.project import Paths


@pytest.fixture
def prepared(toy: Paths) -> Paths:
    ingest(toy, "target")
    preprocess(toy, "target")
    return toy


def test_preprocessing_mismatch_shows(prepared: Paths) -> None:
    """The same images through shards and through their files answer alike; shifted by one pixel they do not."""
    torch.manual_seed(0)
    model = build("cnn", 3, 16)
    # Serving answers on the CPU, wherever training is.
    served = Predictor(Card("cnn", 16, ("blue", "green", "red"), 0.1, ""), copy.deepcopy(model))
    files, pixels = agreement.golden_files(prepared), agreement.golden_pixels(prepared)
    assert len(files) == len(pixels) == agreement.GOLDEN
    same = agreement.difference(served, files, predict(model, pixels, exact=True).numpy())
    shifted = agreement.difference(served, files, predict(model, pixels.roll(1, 3), exact=True).numpy())
    assert same < 1e-5
    assert shifted > 1e-4
