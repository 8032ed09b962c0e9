"""The same images by every way that answers: one decision each."""

from __future__ import annotations

import base64
import io
import json
import os
import sys
import tarfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import numpy as np
import pandas as pd
import pytest
import torch
from answering import follower, served
from bundles import file, photo, write
from commands import call
from conftest import SHARED
from PIL import Image
from safetensors.torch import load_file
from servers import free_port, started

from sightline import scaffold
from sightline.export.folder import export
from sightline.heads.rows import EPSILON
from sightline.images.normalise import normalise
from sightline.images.reading import decode
from sightline.models import runtimes
from sightline.models.parity import parity
from sightline.models.predictor import Predictor
from sightline.models.rounding import ROUNDINGS, reference
from sightline.models.weights import WEIGHTS
from sightline.models.zoo import build
from sightline.project import Paths
from sightline.serve.app import application
from sightline.serve.batcher import Version
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.heads.answer import Answer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
COUNT = 250
"""Every fifth is as the version knows them, the others are odd."""
FORMS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    *(("RGB", "JPEG", {"quality": quality}) for quality in (60, 95)),
    *(("CMYK", "JPEG", {}), ("L", "JPEG", {}), ("RGB", "PNG", {}), ("RGBA", "PNG", {}), ("P", "PNG", {})),
    *(("LA", "PNG", {}), ("1", "PNG", {}), ("P", "GIF", {}), ("RGB", "WEBP", {}), ("RGB", "TIFF", {})),
    *(("RGB", "BMP", {}), ("L", "PPM", {})),
)


def odd() -> dict[str, bytes]:
    """200 images of odd sizes, formats and modes, of real photos where there are some; and 50 that are known."""
    rng, found = np.random.default_rng(0), {}
    photos = real()
    for number in range(COUNT):
        mode, form, options = FORMS[number % len(FORMS)]
        if number % 5 == 0:
            found[f"{number:03}.png"] = file(Image.fromarray(photo(number)))
            continue
        if photos:
            picture = Image.open(io.BytesIO(photos[number % len(photos)])).convert("RGB")
        else:
            picture = Image.fromarray(rng.integers(0, 255, (9, 13, 3), dtype=np.uint8))
        picture = picture.resize((int(rng.integers(7, 500)), int(rng.integers(7, 500)))).convert(mode)
        turned = Image.Exif()
        turned[0x0112] = number % 8 + 1
        more = {"exif": turned} if form in {"JPEG", "PNG", "WEBP"} else {}
        out = io.BytesIO()
        picture.save(out, form, **options, **more)
        found[f"{number:03}.{form.lower()}"] = out.getvalue()
    return found


def real() -> list[bytes]:
    """Photos beside the repository, as many as are needed; none where it lies alone."""
    found: list[bytes] = []
    for path in sorted(SHARED.glob("*.tar")):
        with tarfile.open(path) as tar:
            files = [one for one in tar if one.isfile() and one.name.lower().endswith((".jpg", ".jpeg", ".png"))]
            for one in files[:: max(1, len(files) // 70)]:
                handle = tar.extractfile(one)
                found += [handle.read()] if handle else []
    return found[:COUNT]


def by_training(predictor: Predictor, bundle: Path, images: list[bytes]) -> NDArray[np.float64]:
    """Probabilities of the network as it was trained, without the bundle's own code."""
    card = predictor.card
    model = build(card.network, len(card.classes), card.size).eval()
    model.load_state_dict(load_file(bundle / WEIGHTS))
    pixels = torch.from_numpy(np.stack([decode(data, card.size) for data in images])).permute(0, 3, 1, 2)
    with torch.no_grad():
        rows = torch.cat([model(normalise(part)) for part in pixels.split(64)])
    found: NDArray[np.float64] = torch.softmax(rows.double() / card.temperature, dim=1).numpy()
    return found


def by_mlflow(folder: Path, texts: list[str], logs: Path) -> list[dict[str, Any]]:
    """What MLflow's own server answers to images in base64."""
    port = free_port()
    words = [sys.executable, "-P", "-m", "mlflow", "models", "serve", "-m", str(folder), "--env-manager", "local"]
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with started([*words, "--port", str(port)], port, logs, env=env):
        table = {"columns": ["image"], "data": [[text] for text in texts]}
        reply = httpx.post(
            f"http://127.0.0.1:{port}/invocations",
            content=json.dumps({"dataframe_split": table}),
            headers={"content-type": "application/json"},
            timeout=120,
        )
    assert reply.status_code == 200, reply.text
    found: list[dict[str, Any]] = reply.json()["predictions"]
    return found


def test_every_way_decides_alike(tmp_path: Path) -> None:
    """Training form, bundle, HTTP in three encodings, MLflow's server, batch, ONNX and OpenVINO."""
    images = odd()
    names, files = list(images), list(images.values())
    scaffold.init(tmp_path / "project", "embedded:digits", None, "parts", lambda _: None)
    paths = Paths(tmp_path / "project")
    bundle = write(tmp_path)
    tracker = connect(paths)
    number = tracker.register_classifier(tracker.start("parts", {}), bundle, {})
    predictor = Predictor.load(bundle)
    answers = predictor.predict(files)
    allowed = max(reference(predictor, files).allowed / predictor.card.temperature, ROUNDINGS * EPSILON)
    assert len({answer.label for answer in answers}) > 1
    assert {answer.abstain for answer in answers} == {True, False}

    trained = by_training(predictor, bundle, files)
    assert trained.argmax(1).tolist() == [np.argmax(answer.probabilities) for answer in answers]
    assert np.abs(trained - [answer.probabilities for answer in answers]).max() <= allowed

    def same(found: list[dict[str, Any]], way: str, likely: str | None = "set") -> None:
        for name, one, answer in zip(names, found, answers, strict=True):
            expected = _decision(answer, likely)
            assert _told(one, likely) == expected, f"{name} by {way}"
            assert one["probability"] == pytest.approx(answer.probability, abs=allowed), f"{name} by {way}"

    held = follower(load=lambda: Version("1", "digest", Predictor.load(bundle)))
    with served(application(held)) as address, httpx.Client(base_url=address, timeout=60) as client:
        same([client.post("/predict", content=data).json()["answers"][0] for data in files], "bytes")
        form = [("image", (name, data)) for name, data in images.items()]
        same(client.post("/predict", files=form).json()["answers"], "form")
        texts = [base64.b64encode(data).decode() for data in files]
        same(client.post("/predict", json={"images": texts}).json()["answers"], "JSON")

    for name, data in images.items():
        (tmp_path / "images").mkdir(exist_ok=True)
        (tmp_path / "images" / name).write_bytes(data)
    call(paths.root, "score", str(tmp_path / "images"), "--out", str(tmp_path / "rows.parquet"), "--version", number)
    rows = pd.read_parquet(tmp_path / "rows.parquet")
    assert [Path(path).name for path in rows["path"]] == names
    same([{**one, "set": list(one["set"])} for one in rows.to_dict("records")], "score")  # type: ignore[dict-item]

    served_by_mlflow = by_mlflow(tracker.files(tracker.classifier_model, number), texts, tmp_path)
    same(served_by_mlflow, "mlflow models serve", likely=None)

    pixels = np.stack([predictor.decode(data) for data in files])
    for kind, graph in (("onnx", "model.onnx"), ("openvino", "model.xml")):
        if any(find_spec(name) is None for name in runtimes.LIBRARIES[kind]):
            continue  # the extra is not installed
        export(bundle, "parts-classifier", number, kind, tmp_path / kind)
        run = {"onnx": runtimes.onnxruntime, "openvino": runtimes.openvino}[kind](tmp_path / kind / graph)
        probabilities, scores = run(pixels)
        parity(predictor, files, probabilities, scores[:, 0])


def _decision(answer: Answer, likely: str | None) -> tuple[Any, ...]:
    return (answer.label, answer.abstain, answer.foreign, list(answer.likely or ()) if likely else None)


def _told(one: dict[str, Any], likely: str | None) -> tuple[Any, ...]:
    return (one["label"], one["abstain"], one["foreign"], one[likely] if likely else None)
