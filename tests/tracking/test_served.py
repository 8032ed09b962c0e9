"""The classifier as MLflow serves it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from sightline.digests import tree_digest
from sightline.models.bundle import Card
from sightline.models.foreign import fit
from sightline.models.predictor import Predictor, write_bundle
from sightline.models.weights import WEIGHTS, save_weights
from sightline.models.zoo import build
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.project import Paths


def noise(low: int, high: int, count: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(low, high, (count, 16, 16, 3), dtype=np.uint8)


def png(pixels: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_served_answers_say_what_is_foreign(toy: Paths, tmp_path: Path) -> None:
    """An image unlike all others is foreign in MLflow's answer, with its score, and abstains; a usual one does not."""
    (tmp_path / "training").mkdir()
    # One usual image in a hundred is called foreign, by whatever weights: these do not call this one so.
    torch.manual_seed(0)
    card = Card("cnn", 16, ("cat", "dog"), 2.0, save_weights(build("cnn", 2, 16).eval(), tmp_path / "training"))
    weights, example = tmp_path / "training" / WEIGHTS, [png(noise(0, 100, 1, 0)[0])]
    plain = write_bundle(tmp_path / "plain", card, weights, example)
    described = plain.outputs(noise(0, 100, 200, 1)).described
    known = fit(described[:120], np.arange(120) % 2, described[120:], plain.model.width)
    write_bundle(tmp_path / "bundle", card, weights, example, known=known)
    tracker = connect(toy)
    version = tracker.register_classifier(tracker.start("toy", {}), tmp_path / "bundle", {})
    images = [png(noise(0, 100, 1, 2)[0]), png(noise(0, 255, 1, 3)[0])]
    address = f"models:/{tracker.classifier_model}/{version}"
    served = mlflow.pyfunc.load_model(address).predict(pd.DataFrame({"image": images}))
    assert served["foreign"].tolist() == [False, True]
    assert served["abstain"].tolist() == [False, True]
    answers = Predictor.load(tmp_path / "bundle").predict(images)
    expected, sets = [one.foreign_score for one in answers], [one.likely for one in answers]
    assert served["foreign_score"].tolist() == pytest.approx(expected)
    assert served["set"].tolist() == [None if one is None else list(one) for one in sets]
    assert set(served["version"]) == {version}
    assert set(served["digest"]) == {tree_digest(tmp_path / "bundle")}
    assert served["foreign_score"][0] <= 1 < served["foreign_score"][1]


@pytest.mark.parametrize("network", ["cnn", "timm:test_resnet"])
def test_version_asks_for_the_libraries_of_its_network(toy: Paths, tmp_path: Path, network: str) -> None:
    """An environment that MLflow makes for it can build a network of timm, and needs none of it for ours."""
    (tmp_path / "training").mkdir()
    card = Card(network, 32, ("cat", "dog"), 1.0, save_weights(build(network, 2, 32).eval(), tmp_path / "training"))
    write_bundle(tmp_path / "bundle", card, tmp_path / "training" / WEIGHTS, [png(noise(0, 100, 1, 0)[0])])
    tracker = connect(toy)
    version = tracker.register_classifier(tracker.start("toy", {}), tmp_path / "bundle", {})
    wanted = (tracker.files(tracker.classifier_model, version) / "requirements.txt").read_text(encoding="utf-8")
    assert ("timm==" in wanted) == (network != "cnn")
