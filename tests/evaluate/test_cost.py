"""Latency and memory of a bundle."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest
import torch
from conftest import COLOURS, draw

from sightline.errors import ModelError
from sightline.evaluate import cost
from sightline.models.bundle import Card
from sightline.models.predictor import Predictor, write_bundle
from sightline.models.weights import WEIGHTS, save_weights
from sightline.models.zoo import build

if TYPE_CHECKING:
    from pathlib import Path


def bundle(folder: Path, network: str, size: int) -> Path:
    torch.manual_seed(0)
    (folder / "training").mkdir(parents=True)
    weights = save_weights(build(network, 2, size), folder / "training")
    write_bundle(
        folder / "bundle", Card(network, size, ("cat", "dog"), 1.0, weights), folder / "training" / WEIGHTS, []
    )
    return folder / "bundle"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    draw(0, COLOURS["red"]).save(tmp_path / "image.png")
    return tmp_path / "image.png"


@pytest.mark.slow
def test_larger_model_costs_more(tmp_path: Path, image: Path) -> None:
    """Two bundles beside each other: the larger network is slower in every block and needs more memory by itself."""
    found = cost.compare(bundle(tmp_path / "large", "resnet50", 64), bundle(tmp_path / "small", "cnn", 16), [image])
    large, small = found.candidate, found.champion
    assert 0 < small.p50_ms <= small.p95_ms
    assert min(found.ratios) > 2
    assert len(found.ratios) >= cost.FEWEST_BLOCKS
    assert large.memory_mb > small.memory_mb + 50
    assert small.memory_mb < 2000


@pytest.mark.slow
def test_champion_that_comes_second_in_its_process_is_charged_for_itself_alone(tmp_path: Path, image: Path) -> None:
    """Beside a larger candidate the champion's memory is what it needs alone."""
    small = bundle(tmp_path / "small", "cnn", 16)
    beside = cost.compare(bundle(tmp_path / "large", "resnet50", 64), small, [image])
    assert beside.champion.memory_mb == pytest.approx(cost.measure(small, [image]).memory_mb, rel=0.05)


def test_turns_go_both_ways(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Each of two bundles comes first as often as the other on an image, and as often in a block."""

    class Told:
        def __init__(self, name: str) -> None:
            self.name = name

        def predict(self, images: list[bytes]) -> None:
            asked.append((self.name, images[0]))

    asked: list[tuple[str, bytes]] = []
    monkeypatch.setattr(cost, "BLOCK_SECONDS", 0.0)
    monkeypatch.setattr("sys.stdin", io.StringIO("\n\n"))
    cost.serve_both(Told, ["a", "b"], [b"1", b"2"])  # type: ignore[arg-type]
    block = [("a", b"1"), ("b", b"1"), ("b", b"2"), ("a", b"2")]
    assert asked[-8:] == [*block, ("b", b"1"), ("a", b"1"), ("a", b"2"), ("b", b"2")]
    assert [len(json.loads(line)) for line in capsys.readouterr().out.splitlines()[2:]] == [2, 2]


@pytest.mark.parametrize(("seconds", "answers"), [(0.0, cost.CALLS), (1e6, cost.MOST_CALLS)])
def test_pass_has_as_many_answers_as_fit(
    tmp_path: Path,
    image: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    seconds: float,
    answers: int,
) -> None:
    """A slow model is asked the fewest times in a pass, a fast one the most."""
    monkeypatch.setattr(cost, "PASS_SECONDS", seconds)
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    cost.serve(Predictor.load(str(bundle(tmp_path, "cnn", 16))), [image.read_bytes()])
    assert len(json.loads(capsys.readouterr().out.splitlines()[1])) == answers


def test_broken_bundle_is_told(tmp_path: Path, image: Path) -> None:
    """A bundle that does not load is an error that says why."""
    folder = bundle(tmp_path, "cnn", 16)
    (folder / WEIGHTS).write_bytes(b"no weights")
    with pytest.raises(ModelError, match=r"fresh process.*was changed since"):
        cost.measure(folder, [image])
