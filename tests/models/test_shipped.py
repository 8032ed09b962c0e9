"""Backbones that come with the package."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import load_file

from sightline.digests import file_digest
from sightline.errors import ModelError
from sightline.models import shipped
from sightline.models.zoo import build, load_init

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the backbones, to be damaged."""
    folder = shutil.copytree(shipped.FOLDER, tmp_path / "backbones")
    monkeypatch.setattr(shipped, "FOLDER", folder)
    shipped._facts.cache_clear()
    return folder


def test_weights_start_the_network() -> None:
    """The shipped file becomes the backbone, in full precision, by its name and by its exact name."""
    stored = load_file(shipped.weights(shipped.FRACTALS, "cnn"))
    for init in (shipped.FRACTALS, shipped.exact(shipped.FRACTALS, "cnn")):
        torch.manual_seed(0)
        model = build("cnn", 3, 64)
        load_init(model, init, "cnn")
        own = model.backbone.state_dict()
        assert all(torch.equal(own[name], value.to(own[name].dtype)) for name, value in stored.items())
        assert {value.dtype for value in own.values()} == {torch.float32, torch.int64}


def test_file_is_small_and_says_how_it_was_made() -> None:
    """Five megabytes at most; beside it stand its digest, images, recipes, seed and the command that makes it again."""
    path = shipped.weights(shipped.FRACTALS, "cnn")
    facts = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert path.stat().st_size < 5e6
    assert facts["sha256"] == file_digest(path)
    assert facts["source"].startswith("embedded:fractals:")
    assert facts["command"].startswith("python benchmarks/formulas.py")
    assert {"recipes", "seed", "size", "machine", "right"} <= facts.keys()


def test_other_release_is_told() -> None:
    """A digest that is not that of the shipped weights names both, and the remedy."""
    with pytest.raises(ModelError, match=r"fractals@123456.*comes with embedded:fractals@[0-9a-f]{12}; install"):
        shipped.weights("embedded:fractals@123456", "cnn")


def test_network_without_weights_is_told() -> None:
    """The weights of the cnn are not put into another network; the error says what can be set."""
    with pytest.raises(ModelError, match=r"for cnn, none for resnet18: set pretrain.network=cnn or pretrain.init=null"):
        load_init(build("resnet18", 3, 64), shipped.FRACTALS, "resnet18")


@pytest.mark.parametrize("init", ["embedded:fractal", "embedded:", "embedded:digits"])
def test_unknown_backbone_is_told(init: str) -> None:
    """A name that no backbone has is an error with those that there are."""
    with pytest.raises(ModelError, match="known are embedded:fractals"):
        shipped.networks(init)


def test_changed_file_is_refused(copy: Path) -> None:
    """Weights other than those that were shipped start nothing."""
    path = next(copy.glob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    with pytest.raises(ModelError, match="install it again"):
        shipped.weights(shipped.FRACTALS, "cnn")
