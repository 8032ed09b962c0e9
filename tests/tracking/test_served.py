"""The classifier as MLflow serves it."""

from __future__ import annotations

import io
from base64 import b64encode, encodebytes
from http import HTTPStatus
from typing import TYPE_CHECKING

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
import torch
from fastapi.testclient import TestClient
from mlflow.pyfunc import scoring_server
from PIL import Image

from sightline.digests import tree_digest
from sightline.images.reading import UnreadableImage
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
    from sightline.tracking.runs import Tracker


def noise(low: int, high: int, count: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(low, high, (count, 16, 16, 3), dtype=np.uint8)


def png(pixels: NDArray[np.uint8]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def registered(paths: Paths, home: Path, network: str, size: int) -> tuple[Tracker, str]:
    """The registry, and the number of a version with random weights in it."""
    (home / "training").mkdir()
    torch.manual_seed(0)
    card = Card(network, size, ("cat", "dog"), 1.0, save_weights(build(network, 2, size).eval(), home / "training"))
    write_bundle(home / "bundle", card, home / "training" / WEIGHTS, [png(noise(0, 100, 1, 0)[0])])
    tracker = connect(paths)
    return tracker, tracker.register_classifier(tracker.start("toy", {}), home / "bundle", {})


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
    tracker, version = registered(toy, tmp_path, network, 32)
    wanted = (tracker.files(tracker.classifier_model, version) / "requirements.txt").read_text(encoding="utf-8")
    assert ("timm==" in wanted) == (network != "cnn")


def test_images_come_as_bytes_or_as_base64(toy: Paths, tmp_path: Path) -> None:
    """Into MLflow's function and its server, in each form that it takes; a row without an image is named."""
    tracker, version = registered(toy, tmp_path, "cnn", 16)
    model = mlflow.pyfunc.load_model(f"models:/{tracker.classifier_model}/{version}")
    data = png(noise(0, 255, 1, 3)[0])
    text, lines = b64encode(data).decode(), encodebytes(data).decode()
    (answer,) = Predictor.load(tmp_path / "bundle").predict([data])
    wanted = pytest.approx(answer.probability, abs=1e-6)

    plain = b"P3 1 2 100 " + b"50 " * 6
    cells = [data, bytearray(data), text, lines, f"data:image/png;base64,{text}", text.encode(), plain]
    found = model.predict(pd.DataFrame({"image": cells}))["probability"].tolist()
    assert found[:-1] == [wanted] * (len(cells) - 1)
    for cell, said in {
        None: "'NoneType' is no image file: give its bytes, or base64 text of them",
        "photos/cat 1.jpg": "'photos/cat 1.jpg' is no base64: give the bytes",
        text[:41]: "base64 text that is cut or damaged",
        b"hello!": "not an image of an allowed format",
    }.items():
        with pytest.raises(UnreadableImage, match=f"^row 2 of 2: {said}"):
            model.predict(pd.DataFrame({"image": [data, cell]}))

    with TestClient(scoring_server.init(model)) as client:
        for body in (
            {"dataframe_split": {"columns": ["image"], "data": [[text]]}},
            {"dataframe_records": [{"image": lines}]},
            {"instances": [{"image": text}]},
            {"instances": [text]},
            {"inputs": {"image": [text]}},
            {"inputs": [text]},
        ):
            reply = client.post("/invocations", json=body)
            assert [one["probability"] for one in reply.json()["predictions"]] == [wanted], body.keys()
        reply = client.post("/invocations", content=f"image\n{text}\n", headers={"content-type": "text/csv"})
        assert [one["probability"] for one in reply.json()["predictions"]] == [wanted]
        reply = client.post("/invocations", json={"inputs": [text, text[4:]]})
        assert reply.status_code == HTTPStatus.BAD_REQUEST
        assert "row 2 of 2: not an image" in reply.json()["stack_trace"].splitlines()[-1]
