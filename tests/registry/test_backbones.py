"""Backbones that come from the registry."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import torch

from sightline import config
from sightline.digests import file_digest
from sightline.errors import ModelError, RegistryError
from sightline.models.weights import WEIGHTS, save_weights
from sightline.models.zoo import build, load_init
from sightline.registry.backbones import check, fetched
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


def test_registered_weights_become_a_file(toy: Paths, tmp_path: Path) -> None:
    """A registered version, by number or by alias, starts a network with its weights; a name stays as it is."""
    tracker = connect(toy)
    torch.manual_seed(0)
    model = build("cnn", 3, 16)
    (tmp_path / "out").mkdir()
    save_weights(model, tmp_path / "out")
    number = tracker.register_backbone(tracker.start("toy", {}), tmp_path / "out", {})
    tracker.set_alias(tracker.backbone_model, "best", number)
    file = fetched(toy, f"registry:{tracker.backbone_model}/{number}")
    assert file is not None
    assert file == fetched(toy, f"registry:{tracker.backbone_model}@best")
    other = build("cnn", 3, 16)
    load_init(other, file, "cnn")
    one, same = model.backbone.state_dict(), other.backbone.state_dict()
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert fetched(toy, "ResNet18_Weights.IMAGENET1K_V1") == "ResNet18_Weights.IMAGENET1K_V1"
    assert fetched(toy, None) is None


def test_other_weights_in_a_file_of_the_same_name_are_another_input(toy: Paths) -> None:
    """A file is handed on as a copy named by its digest, written once; new weights at its path come under another."""
    network = build("cnn", 3, 16)
    save_weights(network, toy.root)
    first = fetched(toy, WEIGHTS)
    assert first is not None
    written = (toy.root / first).stat().st_mtime_ns
    assert fetched(toy, WEIGHTS) == first
    assert (toy.root / first).stat().st_mtime_ns == written
    torch.nn.init.ones_(network.head.weight)
    digest = save_weights(network, toy.root)
    second = fetched(toy, WEIGHTS)
    assert second == f"runs/init/{digest}.safetensors"
    assert second != first
    (toy.root / second).write_bytes(b"damaged")
    assert fetched(toy, str(toy.root / WEIGHTS)) == second
    assert file_digest(toy.root / second) == digest


def test_path_begins_at_the_project_or_at_home(toy: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the command is given; the shell leaves a ~ behind an equals sign to us."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    digest = save_weights(build("cnn", 3, 16), tmp_path / "home")
    shutil.copyfile(tmp_path / "home" / WEIGHTS, toy.root / "own.pt")
    params = config.load(toy.root)
    for init in (f"~/{WEIGHTS}", "own.pt"):
        check(toy, replace(params, pretrain=replace(params.pretrain, network="cnn", init=init)))
        assert str(fetched(toy, init)).startswith(f"runs/init/{digest}.")
    with pytest.raises(ModelError, match="no such file"):
        check(toy, replace(params, pretrain=replace(params.pretrain, network="cnn", init="../elsewhere/own.pt")))


def test_missing_version_is_told(toy: Paths) -> None:
    """A version that is not there, or a champion before the first one, is an error that names it."""
    with pytest.raises(RegistryError, match="champion"):
        fetched(toy, "champion")
    with pytest.raises(RegistryError, match="no version 9"):
        fetched(toy, "registry:toy-classifier/9")


def test_version_without_weights_is_told(toy: Paths, tmp_path: Path) -> None:
    """A registered version that holds no weights cannot start a network."""
    tracker = connect(toy)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "note.txt").write_text("nothing")
    number = tracker.register_backbone(tracker.start("toy", {}), tmp_path / "out", {})
    with pytest.raises(RegistryError, match=WEIGHTS):
        fetched(toy, f"registry:{tracker.backbone_model}/{number}")
