"""A detector as a folder that runs elsewhere: its client finds what `predict` finds; what differs is refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import boxed
import numpy as np
import pytest
from bundles import ALONE, odd_images

from sightline.errors import ModelError
from sightline.export import formats
from sightline.export.folder import export
from sightline.heads.targets import CLASS
from sightline.images.reading import png
from sightline.models import backend, runtimes
from sightline.models.backend import quicken
from sightline.models.bundle import golden
from sightline.models.parity import parity
from sightline.models.predictor import Predictor

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.heads.answer import Answer

EDGES = ("x1", "y1", "x2", "y2")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version that finds boxes, abstains now and then and knows foreign images."""
    return boxed.write(tmp_path_factory.mktemp("bundle"))


def files() -> dict[str, bytes]:
    """Squares on images of two shapes, and what a client may decode otherwise than training did."""
    return {f"{seed}.png": png(boxed.draw(seed)[0]) for seed in range(100, 112)} | odd_images()


def same(said: dict[str, object], answer: Answer) -> None:
    """The same boxes and doubts, but for what is rounded otherwise."""
    given = [box._asdict() for box in answer.boxes or ()]
    found = said["boxes"]
    assert isinstance(found, list)
    assert [box["label"] for box in found] == [box["label"] for box in given]
    for one, other in zip(found, given, strict=True):
        assert one["probability"] == pytest.approx(other["probability"], abs=1e-4)
        assert [one[edge] for edge in EDGES] == pytest.approx([other[edge] for edge in EDGES], abs=0.03)
    doubts = (answer.label, list(answer.labels or ()), answer.abstain, answer.foreign)
    assert (said["label"], said["labels"], said["abstain"], said["foreign"]) == doubts


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "openvino", "torch"])
def test_client_finds_the_boxes_of_predict(form: str, bundle: Path, tmp_path: Path) -> None:
    """In a process without Sightline: in pixels of the upright image, whatever its shape and however it is turned."""
    export(bundle, "toy-classifier", "3", form, tmp_path / "out")
    asked = files()
    for name, data in asked.items():
        (tmp_path / name).write_bytes(data)
    words = [sys.executable, "-I", "-c", ALONE, str(tmp_path / "out" / "client.py"), *asked]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    answers = Predictor.load(bundle).predict(list(asked.values()))
    assert sum(len(one.boxes or ()) for one in answers) > len(answers)
    assert len({one.foreign for one in answers}) > 1
    for said, one in zip(map(json.loads, done.stdout.splitlines()), answers, strict=True):
        same(said, one)
    told = json.loads((tmp_path / "out" / "model.json").read_text(encoding="utf-8"))
    assert (told["suppression"], told["fit"]) == ({"overlap": 0.6, "most": 100}, "letterbox")
    text = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert all(word in text for word in ("A detector for 2 classes", "(N, K, 6)", "(124, 116, 104)"))
    if form == "onnx":
        config = (tmp_path / "out" / "triton" / "toy-classifier" / "config.pbtxt").read_text(encoding="utf-8")
        found = re.findall(r'name: "(\w+)" data_type: (\w+) dims: \[ ([\d, ]+) \]', config)
        wanted = [("boxes", "TYPE_FP32", "170, 6"), ("foreign_score", "TYPE_FP32", "1")]
        assert found == [("pixels", "TYPE_UINT8", "64, 64, 3"), *wanted]
        run = runtimes.onnxruntime(tmp_path / "out" / formats.FILES[form])
        assert [len(one) for one in run(np.zeros((3, 64, 64, 3), np.uint8))] == [3, 3]


@pytest.mark.slow
def test_other_runtime_finds_the_same(bundle: Path) -> None:
    """ONNX Runtime in torch's place, for one image and for many."""
    slow, fast, images = Predictor.load(bundle), Predictor.load(bundle), list(files().values())
    assert quicken(fast, bundle)
    fast.model.forward = fast.model.described = None  # type: ignore[assignment, method-assign]
    for asked in (images, images[:1]):
        for one, other in zip(fast.predict(asked), slow.predict(asked), strict=True):
            same(
                {**one.__dict__, "labels": list(one.labels or ()), "boxes": [box._asdict() for box in one.boxes or ()]},
                other,
            )
            assert one.foreign_score == pytest.approx(other.foreign_score, rel=1e-3)


def test_other_boxes_are_refused(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Edges or scores that are off, a box more, one less and what is no number leave torch, and the error says why."""
    predictor, images = Predictor.load(bundle), golden(bundle)
    found = predictor.outputs(np.stack([predictor.decode(data) for data in images]))
    rows = predictor.task.probabilities(found.logits, predictor.card)
    assert predictor.known is not None
    scores = predictor.known.scores(found.described)
    assert parity(predictor, images, rows.astype(np.float32), scores).difference < 1e-6
    for place, by in ((0, 0.05), (5, 1e-3), (5, np.nan)):
        other = rows.copy()
        other[0, 0, place] += by
        with pytest.raises(ModelError, match=r"a probability is off by (nan|[\d.e-]+), rounding explains [\d.e-]+"):
            parity(predictor, images, other, scores)
    fewer, more = rows.copy(), rows.copy()
    fewer[0, 0, CLASS] = -1
    (free, *_) = np.flatnonzero(more[0, :, CLASS] < 0)
    more[0, free] = (1, 1, 9, 9, 0, 0.3)
    for other in (fewer, more):
        with pytest.raises(ModelError, match="does not answer as the version does"):
            parity(predictor, images, other, scores)
    torchs = predictor.run
    monkeypatch.setattr(backend, "onnxruntime", lambda _file: lambda pixels: [one * 1.01 for one in torchs(pixels)])
    with pytest.raises(ModelError, match="off by"):
        backend.adopt(predictor, bundle, bundle / "model.onnx")
    assert predictor.run == torchs
