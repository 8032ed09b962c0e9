"""Networks of timm, from scratch: nothing is downloaded here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from conftest import COLOURS, draw

from sightline.errors import ModelError
from sightline.images.normalise import normalise
from sightline.models.bundle import Card
from sightline.models.graph import Heads, traced
from sightline.models.predictor import Predictor, write_bundle
from sightline.models.weights import WEIGHTS, save_weights
from sightline.models.zoo import build, check, load_init

if TYPE_CHECKING:
    from pathlib import Path

RESNET, VIT = "timm:test_resnet", "timm:test_vit"


@pytest.mark.parametrize("network", [RESNET, VIT])
def test_network_of_timm_is_backbone_and_head(network: str) -> None:
    """It takes images of the size that is asked for, and answers for the classes."""
    model = build(network, 3, 32)
    assert model.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 3)
    model.train()(torch.zeros(2, 3, 32, 32)).sum().backward()


def test_pixels_reach_it_as_timm_normalises_them() -> None:
    """What its weights expect, mean and spread of one half here, is made of what all our networks get."""
    model = build(RESNET, 2, 32).eval()
    pixels = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    inside = model.backbone.get_submodule("network")
    with torch.no_grad():
        wanted = inside((pixels / 255 - 0.5) / 0.5)
        assert torch.allclose(model.backbone(normalise(pixels)), wanted, atol=1e-4)


def test_bundle_carries_the_normalisation(tmp_path: Path) -> None:
    """Values of another set of weights go with them into the bundle and out of it again."""
    model = build(RESNET, 2, 32).eval()
    model.backbone.get_buffer("shift").fill_(0.25)
    card = Card(RESNET, 32, ("cat", "dog"), 1.0, save_weights(model, tmp_path / "weights"))
    write_bundle(tmp_path / "bundle", card, tmp_path / "weights" / WEIGHTS, [])
    loaded = Predictor.load(tmp_path / "bundle")
    assert torch.equal(loaded.model.backbone.get_buffer("shift"), torch.full((3, 1, 1), 0.25))
    pixels = np.array(draw(1, COLOURS["red"], 32))[None]
    program = traced(Heads(loaded.model), RESNET, 32).module()
    _, logits = program(torch.from_numpy(np.concatenate([pixels, pixels])))
    assert np.allclose(logits.detach().numpy()[:1], loaded.logits(pixels), atol=1e-5)


def test_weights_in_a_file_of_timm_are_taken(tmp_path: Path) -> None:
    """A file that timm's own scripts wrote fits its network."""
    giver = build(RESNET, 5, 32)
    state = giver.backbone.get_submodule("network").state_dict()
    torch.save({"state_dict": state}, tmp_path / "weights.pt")
    taker = build(RESNET, 2, 32)
    load_init(taker, str(tmp_path / "weights.pt"), RESNET)
    assert all(torch.equal(taker.backbone.state_dict()[f"network.{name}"], one) for name, one in state.items())


def test_unknown_network_is_told_with_those_like_it() -> None:
    """Of timm, as of torchvision."""
    with pytest.raises(ModelError, match=r"timm has no network 'resnet81'; did you mean timm:resnet"):
        build("timm:resnet81", 2, 32)


@pytest.mark.parametrize(
    ("init", "words"),
    [
        ("timm:test_resnet.bogus", "no weights 'bogus' of test_resnet; it has timm:test_resnet.r160_in1k$"),
        ("timm:regnetz_005.bogus", "timm has no weights of regnetz_005: set pretrain.network to timm:regnetz_005 and"),
        ("timm:regnetz_005", "timm has no weights of regnetz_005: set"),
        ("hf-hub:a b/../c", "'hf-hub:a b/../c' is no address of Hugging Face's hub: write hf-hub:USER/NAME or"),
        ("hf-hub:", "is no address of"),
        ("hf-hub:timm/resnet18@", "is no address of"),
    ],
)
def test_weights_that_cannot_be_are_told_before_anything_is_done(init: str, words: str) -> None:
    """What follows the name of a network, or hf-hub:, is looked at without fetching anything, and the remedy fits."""
    with pytest.raises(ModelError, match=words):
        check(RESNET, init)
    if "bogus" in init:
        with pytest.raises(ModelError, match=words):
            build(init, 2, 32)


@pytest.mark.parametrize(
    "init", ["timm:test_resnet", "timm:test_resnet.r160_in1k", "hf-hub:timm/resnet18.a1_in1k@main"]
)
def test_weights_that_can_be_are_taken_as_they_are(init: str) -> None:
    """A network's own weights, those of a tag, and an address with a revision."""
    check(RESNET, init)


def test_without_network_or_package_it_is_said_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that are neither kept nor to be had, and a machine without the extra."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"timm:test_resnet.* cannot be downloaded"):
        load_init(build(RESNET, 2, 32), RESNET, RESNET)
    with pytest.raises(ModelError, match="set it to timm:NAME"):
        load_init(build("cnn", 2, 32), RESNET, "cnn")
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ModelError, match=r"pip install 'sightline\[timm\]'"):
        build(RESNET, 2, 32)
