"""ONNX Runtime in torch's place."""

from __future__ import annotations

import sys
import tempfile
from typing import TYPE_CHECKING

import numpy as np
import pytest
from bundles import odd_images, write

from sightline.errors import ModelError
from sightline.models import backend
from sightline.models.backend import quicken
from sightline.models.predictor import Predictor

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version with everything that one may hold."""
    return write(tmp_path_factory.mktemp("bundle"))


@pytest.mark.slow
def test_answers_stay_the_same(bundle: Path) -> None:
    """Labels, doubts, sets and foreign images are those of torch, for one image and for many, without torch."""
    slow, fast, images = Predictor.load(bundle), Predictor.load(bundle), list(odd_images().values()) * 6
    assert quicken(fast, bundle)
    fast.model.forward = fast.model.backbone.forward = None  # type: ignore[assignment, method-assign]
    for asked in (images, images[:1]):
        for one, other in zip(fast.predict(asked), slow.predict(asked), strict=True):
            assert (one.label, one.abstain, one.likely, one.foreign) == (
                other.label,
                other.abstain,
                other.likely,
                other.foreign,
            )
            assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_other_answers_leave_torch(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A runtime that is off on the golden images is not taken; the error says by how much."""
    predictor = Predictor.load(bundle)
    torchs = predictor.run

    def off(pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        features, logits = torchs(pixels)
        return [features, logits + np.eye(3, dtype=np.float32)[0] / 100]

    monkeypatch.setattr(backend, "onnxruntime", lambda _file: off)
    with pytest.raises(ModelError, match="a probability is off by"):
        backend.adopt(predictor, bundle, bundle / "model.onnx")
    assert predictor.run == torchs


def test_whatever_fails_leaves_torch(bundle: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A graph that cannot be made is told in the log, with its reason, and torch answers."""
    predictor = Predictor.load(bundle)
    assert not quicken(predictor, tmp_path / "nowhere")
    assert "torch answers" in caplog.text
    assert "nowhere is not a whole model bundle" in caplog.text
    assert "ModelError" not in caplog.text
    assert len(predictor.predict(list(odd_images().values()))) == len(odd_images())


def test_nowhere_to_write_leaves_torch(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A server on a machine whose folder for scratch files is gone or full begins all the same."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    assert not quicken(Predictor.load(bundle), bundle)
    assert "torch answers" in caplog.text


def test_without_the_library_torch_answers(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is tried where the extra is not installed."""
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(backend, "start", lambda _bundle: pytest.fail("tried"))
    assert not quicken(Predictor.load(bundle), bundle)


@pytest.mark.slow
def test_graph_comes_from_the_process_that_was_started_ahead(bundle: Path) -> None:
    """It writes what one that is started then writes; where it was killed meanwhile another one takes its place."""
    made: list[bytes] = []
    for kill in (False, True):
        backend.start_ahead()
        (ahead,) = backend._ahead
        if kill:
            ahead.kill()
            ahead.wait()
        making = backend.start(bundle)
        assert (making.process is ahead) is not kill
        assert not backend._ahead
        made.append(making.wait().read_bytes())
        making.stop()
    assert made[0] == made[1]
