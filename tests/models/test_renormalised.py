"""Networks of torchvision whose weights expect pixels at another scale than ImageNet's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from conftest import COLOURS, draw

from sightline.errors import ModelError
from sightline.images.normalise import normalise
from sightline.models import published
from sightline.models.bundle import Card
from sightline.models.graph import Heads, traced
from sightline.models.operators import ensure
from sightline.models.predictor import Predictor, write_bundle
from sightline.models.renormalised import RenormalisedConv2d
from sightline.models.weights import WEIGHTS, save_weights
from sightline.models.zoo import build, load_init

if TYPE_CHECKING:
    from pathlib import Path

SIZES = {"googlenet": 64, "inception_v3": 96, "efficientnet_v2_l": 32}


def original(network: str) -> torch.nn.Module:
    """What torchvision makes for its weights, without what answers."""
    ensure()
    from torchvision import models

    options = {"init_weights": True, "transform_input": True} if network in published.TRANSFORMING else {}
    made: torch.nn.Module = models.get_model(network, weights=None, **options)
    setattr(made, "classifier" if network == "efficientnet_v2_l" else "fc", torch.nn.Identity())
    return made.eval()


@pytest.mark.parametrize(
    "network", ["googlenet", *(pytest.param(one, marks=pytest.mark.slow) for one in SIZES if one != "googlenet")]
)
def test_images_reach_torchvisions_weights_as_they_were_trained(network: str, tmp_path: Path) -> None:
    """The same pixels give the features that torchvision's own network gives behind its own transforms."""
    torch.manual_seed(0)
    giver, size = original(network), SIZES[network]
    # Fresh weights make features that hardly depend on anything.
    for name, one in giver.state_dict().items():
        if name.endswith("running_var"):
            one.fill_(0.1)
    torch.save(giver.state_dict(), tmp_path / "w.pth")
    pixels = torch.randint(0, 256, (2, 3, size, size), dtype=torch.uint8)
    taker = build(network, 2, size).eval()
    load_init(taker, str(tmp_path / "w.pth"), network)
    theirs = (pixels / 255 - 0.5) / 0.5 if network == "efficientnet_v2_l" else normalise(pixels)
    with torch.no_grad():
        wanted, found = giver(theirs), taker.backbone(normalise(pixels))
    assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max()))


def test_bundle_and_graph_carry_the_scale(tmp_path: Path) -> None:
    """It is among the weights, and in what is exported."""
    model = build("googlenet", 2, 64).eval()
    first = model.backbone.get_submodule("conv1.conv")
    assert isinstance(first, RenormalisedConv2d)
    first.shift.fill_(0.25)
    card = Card("googlenet", 64, ("cat", "dog"), 1.0, save_weights(model, tmp_path / "weights"))
    write_bundle(tmp_path / "bundle", card, tmp_path / "weights" / WEIGHTS, [])
    loaded = Predictor.load(tmp_path / "bundle")
    assert torch.equal(loaded.model.backbone.get_buffer("conv1.conv.shift"), torch.full((3, 1, 1), 0.25))
    pixels = np.array(draw(1, COLOURS["red"], 64))[None]
    program = traced(Heads(loaded.model), "googlenet", 64).module()
    _, logits = program(torch.from_numpy(np.concatenate([pixels, pixels])))
    assert np.allclose(logits.detach().numpy()[:1], loaded.logits(pixels), atol=1e-5)


def test_weights_of_an_earlier_release_see_images_as_before(tmp_path: Path) -> None:
    """They learned from pixels as ours are: a bundle answers the same, and what goes on from it begins so."""
    state = {
        name: value for name, value in build("googlenet", 2, 64).state_dict().items() if "conv1.conv.s" not in name
    }
    loaded, began = build("googlenet", 2, 64), build("googlenet", 3, 64)
    loaded.load_state_dict(state)
    torch.save(state, tmp_path / "w.pt")
    load_init(began, str(tmp_path / "w.pt"), "googlenet")
    for network in (loaded, began):
        assert torch.equal(network.backbone.get_buffer("conv1.conv.scale"), torch.ones(3, 1, 1))
        assert torch.equal(network.backbone.get_buffer("conv1.conv.shift"), torch.zeros(3, 1, 1))


def test_other_networks_are_left_alone() -> None:
    """Those whose weights expect what all our networks get have no such values."""
    parts = build("resnet18", 2, 32).modules()
    assert not any(isinstance(part, RenormalisedConv2d) for part in parts)


def test_weights_at_a_scale_of_their_own_are_refused() -> None:
    """Where a network has others at the usual one, these are named."""
    with pytest.raises(ModelError, match=r"another scale than vgg16 gets: take VGG16_Weights\.IMAGENET1K_V1"):
        published.named("VGG16_Weights.IMAGENET1K_FEATURES", "vgg16")
