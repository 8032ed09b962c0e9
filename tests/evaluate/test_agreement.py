"""Serving form and training form."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest
import torch

from sightline.data import manifest
from sightline.data.ingest import ingest
from sightline.data.shards import are_current, preprocess
from sightline.evaluate import agreement, registered
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


def test_shards_of_another_version_tell_nothing(prepared: Paths) -> None:
    """Between a change of the data and the next run shards and manifest are not of one version, whatever they count."""
    torch.manual_seed(0)
    served = Predictor(Card("cnn", 16, ("blue", "green", "red"), 0.1, ""), build("cnn", 3, 16))
    assert registered._agreement(prepared, served) is not None
    rows = manifest.read(prepared.manifest("target"))
    rows = rows[rows["role"] == "val"].drop_duplicates("label")
    one, other = (prepared.raw("target") / path for path in rows["path"].iloc[:2])
    held = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(held)
    ingest(prepared, "target")
    assert [are_current(prepared, "target", role) for role in ("val", "calib")] == [False, True]
    assert registered._agreement(prepared, served) is None
