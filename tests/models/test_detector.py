"""The detector: which backbones it takes, what it hands back, and that it begins from given weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from sightline.errors import ModelError
from sightline.heads import boxed, fcos
from sightline.heads.targets import CLASS
from sightline.models import zoo
from sightline.models.detector import Detector, build
from sightline.models.pyramid import stages
from sightline.models.weights import WEIGHTS, save_weights

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 64


@pytest.mark.parametrize("network", ["cnn", "resnet18", "regnet_y_400mf", "mobilenet_v3_small", "shufflenet_v2_x0_5"])
def test_raw_answers_in_training_and_boxes_else(network: str) -> None:
    """One raw answer at each location, a hundred rows of answers at most, whatever the backbone."""
    detector = build(network, 3, SIZE)
    images = torch.randn(2, 3, SIZE, SIZE)
    raw = detector(images)
    places = fcos.places(SIZE, images.device)
    assert raw.shape == (2, len(places), 3 + fcos.REST)
    assert torch.equal(fcos.parts(raw).places, places)
    answers = detector.eval()(images)
    assert answers.shape == (2, boxed.MOST, 6)
    assert answers[..., :CLASS].min() >= 0
    assert answers[..., :CLASS].max() <= SIZE


@pytest.mark.parametrize("network", ["cnn", "resnet18", "mobilenet_v3_small"])
def test_the_last_map_is_that_of_the_classifier(network: str) -> None:
    """The chain of stages computes what the backbone itself pools: nothing is left out between them."""
    torch.manual_seed(0)
    detector = build(network, 2, SIZE).eval()
    pooled: list[torch.Tensor] = []
    for part in detector.backbone.modules():
        if isinstance(part, nn.AdaptiveAvgPool2d):
            part.register_forward_pre_hook(lambda _, inputs: pooled.append(inputs[0]))
    images = torch.randn(2, 3, SIZE, SIZE)
    detector.backbone(images)
    wanted, one = pooled[-1], images
    for stage in stages(detector.backbone)[: max(detector.taps) + 1]:
        one = stage(one)
    assert torch.equal(one, wanted)


def test_few_images_at_a_time_answer_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large images are answered a few together, for the memory's sake; that changes no answer."""
    detector = build("cnn", 2, SIZE).eval()
    assert isinstance(detector, Detector)
    together: list[int] = []
    detector.class_tower.register_forward_pre_hook(lambda _, inputs: together.append(len(inputs[0])))
    images = torch.randn(5, 3, SIZE, SIZE)
    whole = detector(images)
    assert set(together) == {5}
    together.clear()
    monkeypatch.setattr("sightline.models.pyramid.PIXELS", 2 * SIZE**2)
    assert torch.allclose(detector(images), whole, atol=1e-4)
    assert set(together) == {1, 2}


@torch.no_grad()
def test_fine_maps_know_what_coarse_ones_saw() -> None:
    """What the coarsest map of the backbone shows reaches every map of the pyramid."""
    detector = build("resnet18", 2, SIZE).eval()
    images = torch.randn(1, 3, SIZE, SIZE)
    before = detector.maps(detector.seen(images))
    bias = detector.across["32"].bias
    assert isinstance(bias, torch.Tensor)
    bias += 1
    assert all(
        not torch.allclose(one, other) for one, other in zip(before, detector.maps(detector.seen(images)), strict=True)
    )


@pytest.mark.parametrize(
    ("network", "size", "said"),
    [
        ("cnn", 100, "detectors take multiples of 64"),
        ("vit_b_16", 64, "has no maps at steps of 8, 16"),
        ("resnet19", 64, "did you mean"),
    ],
)
def test_what_cannot_be_built(network: str, size: int, said: str) -> None:
    """The message says what would do."""
    with pytest.raises(ModelError, match=said):
        build(network, 2, size)


def test_a_classifiers_weights_are_where_it_begins(tmp_path: Path) -> None:
    """A pretrained classifier gives its backbone, whatever its image size and classes were; others are refused."""
    torch.manual_seed(1)
    save_weights(zoo.build("resnet18", 10, 32), tmp_path)
    given = zoo.build("resnet18", 10, 32)
    zoo.load_init(given, str(tmp_path / WEIGHTS), "resnet18")
    detector = build("resnet18", 3, SIZE)
    zoo.load_init(detector, str(tmp_path / WEIGHTS), "resnet18")
    for name, value in given.backbone.state_dict().items():
        assert torch.equal(detector.backbone.state_dict()[name], value)
    with pytest.raises(ModelError, match="does not fit cnn"):
        zoo.load_init(build("cnn", 3, SIZE), str(tmp_path / WEIGHTS), "cnn")
