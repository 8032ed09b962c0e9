"""Networks by name, and weights from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from safetensors.torch import save_file

from sightline.errors import ModelError
from sightline.models.zoo import build, check, load_init, names, try_out

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "network",
    [
        "cnn",
        "alexnet",
        "vgg11_bn",
        "resnet18",
        "squeezenet1_1",
        "mobilenet_v3_small",
        "shufflenet_v2_x0_5",
        "vit_b_32",
        "googlenet",
    ],
)
def test_network_takes_images_and_gives_logits(network: str) -> None:
    """Every family of networks becomes a backbone and a linear head of the wanted classes."""
    model = build(network, classes=7, size=64).eval()
    images = torch.zeros(2, 3, 64, 64)
    with torch.no_grad():
        assert model(images).shape == (2, 7)
        assert model.backbone(images).shape == (2, model.head.in_features)


def test_every_classification_network_of_torchvision_is_known() -> None:
    """The list is torchvision's own, with our small network in front."""
    assert names()[0] == "cnn"
    assert {"resnet50", "convnext_tiny", "swin_v2_t", "efficientnet_b0"} <= set(names())


def test_unknown_network_is_told_with_its_neighbours() -> None:
    """A misspelt name gives the names that were meant."""
    with pytest.raises(ModelError, match=r"resnet99.*did you mean.*resnet"):
        build("resnet99", 2, 64)


def test_network_for_larger_images_says_so() -> None:
    """A network that cannot take the size names the size and the remedy."""
    with pytest.raises(ModelError, match=r"alexnet.*16 px.*preprocess\.size"):
        build("alexnet", 2, 16)


def test_size_of_training_is_tried_out() -> None:
    """A transformer takes images of the size that it was built for; another one is told with the remedy."""
    model = build("vit_b_32", 2, 64)
    assert try_out(model, "vit_b_32", 64, "").shape == (2, 2)
    with pytest.raises(ModelError, match=r"vit_b_32.*32 px.*leave it out"):
        try_out(model, "vit_b_32", 32, "leave it out")


@pytest.mark.parametrize("network", ["resnet18", "mobilenet_v3_small"])
def test_no_convolution_strides_over_a_single_pixel(network: str) -> None:
    """Small images in a deep network: the strides that oneDNN computes wrongly are gone, the answers are the same."""
    torch.manual_seed(0)
    model = build(network, 3, 16).eval()
    images = torch.rand(2, 3, 16, 16)
    points: list[torch.nn.Conv2d] = []

    def look(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if isinstance(module, torch.nn.Conv2d) and inputs[0].shape[-1] == 1 and module.kernel_size[0] > 1:
            points.append(module)

    for module in model.modules():
        module.register_forward_pre_hook(look)
    with torch.no_grad():
        answers = model(images)
        assert points
        assert {module.stride for module in points} == {(1, 1)}
        points[0].stride = (2, 2)
        assert torch.equal(model(images), answers)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_backbone_comes_from_a_file(tmp_path: Path, suffix: str) -> None:
    """Weights of a torchvision-like state fit the backbone; the head, which differs, stays."""
    torch.manual_seed(0)
    donor, taker = build("resnet18", 1000, 32), build("resnet18", 3, 32)
    state = {
        **donor.backbone.state_dict(),
        "fc.weight": donor.head.weight.detach(),
        "fc.bias": donor.head.bias.detach(),
    }
    path = tmp_path / f"weights{suffix}"
    torch.save(state, path) if suffix == ".pt" else save_file(state, path)
    load_init(taker, str(path), "resnet18")
    assert torch.equal(taker.state_dict()["backbone.conv1.weight"], donor.state_dict()["backbone.conv1.weight"])


def test_positions_of_a_transformer_are_resampled(tmp_path: Path) -> None:
    """Weights trained at 96 px serve at 64: nine places become four, the class token's and all else stays."""
    torch.manual_seed(0)
    donor, taker = build("vit_b_32", 2, 96), build("vit_b_32", 2, 64)
    positions = "encoder.pos_embedding"
    grid = torch.arange(3.0).repeat(3, 1)  # the column of a place
    state = donor.backbone.state_dict()
    state[positions][0, 1:] = grid.reshape(9, 1)
    token = state[positions][0, 0].clone()
    torch.save(state, tmp_path / "weights.pt")
    load_init(taker, str(tmp_path / "weights.pt"), "vit_b_32")
    own = taker.backbone.state_dict()
    assert torch.equal(own[positions][0, 0], token)
    assert torch.allclose(own[positions][0, 1:, 0], torch.tensor([0.0, 2.0, 0.0, 2.0]), atol=1e-5)
    assert torch.equal(own["conv_proj.weight"], state["conv_proj.weight"])


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    """A file that does not fit is told with the first tensor that differs."""
    path = tmp_path / "weights.pt"
    torch.save(build("cnn", 3, 32).state_dict(), path)
    with pytest.raises(ModelError, match="does not fit resnet18"):
        load_init(build("resnet18", 3, 32), str(path), "resnet18")


def test_pickled_code_is_refused(tmp_path: Path) -> None:
    """A weights file that would run code when loaded is refused."""
    path = tmp_path / "weights.pt"
    torch.save(build("cnn", 3, 32), path)
    with pytest.raises(ModelError, match="cannot be read as weights"):
        load_init(build("cnn", 3, 32), str(path), "cnn")


def test_unknown_weights_name_lists_the_known_ones() -> None:
    """A weights name that torchvision does not have is told with those that it has."""
    with pytest.raises(ModelError, match=r"ResNet18_Weights\.IMAGENET1K_V1"):
        load_init(build("resnet18", 3, 32), "ResNet18_Weights.NONE", "resnet18")


@pytest.mark.parametrize("init", ["../some.log", "backbones/", "microsoft/resnet-18"])
@pytest.mark.parametrize("network", ["cnn", "resnet18"])
def test_path_of_no_file_is_no_name_of_weights(tmp_path: Path, init: str, network: str) -> None:
    """What is written as a path is told as such, and what weights of the hub are called."""
    (tmp_path / "backbones").mkdir()
    with pytest.raises(ModelError, match=rf"^{init}: there is no such file of weights; .*hf-hub:USER/NAME$"):
        check(network, init, tmp_path)


@pytest.mark.parametrize("network", ["cnn", "resnet34"])
def test_weights_name_of_another_network_is_refused(network: str) -> None:
    """Nearly every network has an IMAGENET1K_V1: the name says whose is meant."""
    with pytest.raises(ModelError, match=r"ResNet18_Weights\.IMAGENET1K_V1.*pretrain\.network"):
        load_init(build(network, 3, 32), "ResNet18_Weights.IMAGENET1K_V1", network)


def test_named_weights_load_from_torch_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A torchvision weights name is read from torch's cache when it is there, with its digest checked."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    state = {**build("resnet18", 5, 32).backbone.state_dict()}
    torch.save(state, tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth")
    taker = build("resnet18", 3, 32)
    load_init(taker, "ResNet18_Weights.IMAGENET1K_V1", "resnet18")
    assert torch.equal(taker.state_dict()["backbone.conv1.weight"], state["conv1.weight"])
