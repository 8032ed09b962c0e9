"""Weights that torchvision publishes for its detectors begin a backbone, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from sightline.errors import ModelError
from sightline.models import detector, published, zoo
from sightline.models.operators import ensure

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

DETECTORS = {
    "mobilenet_v3_large": ("fasterrcnn_mobilenet_v3_large_fpn", "FasterRCNN_MobileNet_V3_Large_FPN_Weights.COCO_V1"),
    "resnet50": ("retinanet_resnet50_fpn", "RetinaNet_ResNet50_FPN_Weights.COCO_V1"),
}


def kept(home: Path, network: str) -> dict[str, Tensor]:
    """What torchvision's detector on that trunk weighs, where torch would have kept its download."""
    ensure()
    from torchvision import models

    builder, name = DETECTORS[network]
    state: dict[str, Tensor] = models.get_model_builder(builder)(weights=None, weights_backbone=None).state_dict()
    url = published.named(name, network).url
    (home / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(state, home / "hub" / "checkpoints" / url.rpartition("/")[2])
    return state


@pytest.mark.parametrize("network", DETECTORS)
def test_trunk_of_a_detector_begins_ours(network: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tensor of the trunk arrives, in a detector and in a classifier; what lies behind the maps stays."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    given = {
        name.removeprefix(published.BODY): value
        for name, value in kept(tmp_path, network).items()
        if name.startswith(published.BODY)
    }
    for taker in (detector.build(network, 2, 64), zoo.build(network, 2, 64)):
        before = {name: value.clone() for name, value in taker.get_submodule("backbone").state_dict().items()}
        zoo.load_init(taker, DETECTORS[network][1], network)
        after = taker.get_submodule("backbone").state_dict()
        arrived = [name for name in after if name.removeprefix("features.") in given]
        assert len(arrived) == len(given)
        assert all(torch.equal(after[name], given[name.removeprefix("features.")]) for name in arrived)
        assert all(torch.equal(after[name], before[name]) for name in set(after) - set(arrived))


def test_detector_on_another_trunk_is_refused() -> None:
    """The names that would fit stand in the answer, a detector's among them."""
    with pytest.raises(ModelError, match=r"FasterRCNN_ResNet50_FPN_Weights\.COCO_V1.*pretrain\.network"):
        published.named("FasterRCNN_MobileNet_V3_Large_FPN_Weights.COCO_V1", "resnet50")
    with pytest.raises(
        ModelError, match=r"no such weights, it has ResNet18_Weights\.IMAGENET1K_V1, ResNet18_Weights\.DEFAULT;"
    ):
        published.named("FasterRCNN_ResNet50_FPN_Weights.COCO_V1", "resnet18")
