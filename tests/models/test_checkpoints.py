"""Files of weights as others write them: what is taken out of them, and what is said of the rest."""

from __future__ import annotations

import argparse
import re
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import pytest
import torch
from safetensors.torch import save, save_file

from sightline.errors import ModelError
from sightline.models import checkpoints, hub
from sightline.models.operators import ensure
from sightline.models.weights import WEIGHTS, save_weights
from sightline.models.zoo import build, check, load_init

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from torch import Tensor

SIZE, CLASSES = 64, 1000


def whole(network: str) -> torch.nn.Module:
    """The network as its authors make it, with its head."""
    if hub.is_of_timm(network):
        made: torch.nn.Module = hub.load().create_model(network.removeprefix(hub.PREFIX), num_classes=CLASSES)
        return made
    ensure()
    from torchvision import models

    options = {"init_weights": True} if network == "googlenet" else {}
    with_head: torch.nn.Module = models.get_model(network, weights=None, num_classes=CLASSES, **options)
    return with_head


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """Of a ResNet-18 of torchvision."""
    torch.manual_seed(0)
    return dict(whole("resnet18").state_dict())


def prefixed(before: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {before + name: value for name, value in tensors.items()}


LAID_OUT: dict[str, Callable[[dict[str, Tensor]], Any]] = {
    "torchvision's scripts": lambda one: {"model": one, "optimizer": {}, "args": argparse.Namespace(lr=0.1)},
    "tutorials": lambda one: {"epoch": 3, "model_state_dict": one},
    "Lightning": lambda one: {"state_dict": prefixed("model.", one), "global_step": 7},
    "DataParallel": lambda one: prefixed("module.", one),
    "compiled in DataParallel": lambda one: prefixed("module._orig_mod.", one),
    "a backbone in Lightning": lambda one: {
        "state_dict": prefixed("net.backbone.", one) | {"net.answers.weight": torch.zeros(2)}
    },
    "half precision": lambda one: {
        name: value.half() if value.dtype == torch.float else value for name, value in one.items()
    },
    "before counters": lambda one: {name: value for name, value in one.items() if "num_batches" not in name},
}


@pytest.mark.parametrize("form", LAID_OUT)
def test_weights_are_found_in_what_a_script_saved(form: str, tmp_path: Path, state: dict[str, Tensor]) -> None:
    """Beside what else a checkpoint holds, and behind a prefix that all names share."""
    torch.save(LAID_OUT[form](state), tmp_path / "last.ckpt")
    taker = build("resnet18", 3, SIZE)
    load_init(taker, str(tmp_path / "last.ckpt"), "resnet18")
    found = taker.backbone.state_dict()["layer4.1.conv2.weight"]
    assert torch.allclose(found, state["layer4.1.conv2.weight"], atol=1e-4)


@pytest.mark.parametrize("name", ["w.PT", "w.bin", "w.pth.tar", "w", "w.safetensors"])
@pytest.mark.parametrize("is_safe", [True, False])
def test_files_are_read_by_what_they_hold(
    *, name: str, is_safe: bool, tmp_path: Path, state: dict[str, Tensor]
) -> None:
    """Whatever a file is called."""
    (save_file if is_safe else torch.save)(state, tmp_path / name)
    taker = build("resnet18", 3, SIZE)
    load_init(taker, str(tmp_path / name), "resnet18")
    assert torch.equal(taker.backbone.state_dict()["conv1.weight"], state["conv1.weight"])


def scripted(file: Path) -> None:
    torch.jit.save(torch.jit.script(torch.nn.Linear(1, 1)), file)


def cut(file: Path, data: bytes) -> None:
    file.write_bytes(data[: len(data) // 2])


NO_WEIGHTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda file: file.write_bytes(b""), "it is empty"),
    "a page": (lambda file: file.write_text("<html>404</html>"), "begins with b'<html>404</html>'"),
    "a program": (scripted, "it is a TorchScript program; save its state_dict"),
    "a module": (
        lambda file: torch.save(torch.nn.Linear(1, 1), file),
        "torch.nn.modules.linear.Linear, and only tensors",
    ),
    "half a file of torch": (lambda file: cut(file, b"PK\3\4" + bytes(99)), "it was cut short; fetch it again"),
    "half a safe one": (lambda file: cut(file, save({"a": torch.zeros(99)})), "it was cut short or damaged, or"),
    "a pickle": (lambda file: file.write_bytes(b"\x80\x04}\x94."), "or torch did not write it"),
    "a list": (
        lambda file: torch.save([1, 2], file),
        "holds list in place of tensors and their names: save a state_dict",
    ),
    "no tensor": (lambda file: torch.save({}, file), "holds nothing in place of tensors"),
    "nothing wrapped": (lambda file: torch.save({"state_dict": None}, file), "holds NoneType as 'state_dict'"),
    "numbered tensors": (
        lambda file: torch.save({1: torch.zeros(1)}, file),
        "holds Tensor as 1, which is no named tensor",
    ),
}


@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("form", NO_WEIGHTS)
def test_what_holds_no_weights_is_told_in_a_sentence(form: str, tmp_path: Path) -> None:
    """And never with torch's advice to load it all the same."""
    write, words = NO_WEIGHTS[form]
    write(tmp_path / "w.pt")
    with pytest.raises(ModelError, match=re.escape(words)) as caught:
        load_init(build("cnn", 3, SIZE), str(tmp_path / "w.pt"), "cnn")
    assert str(caught.value).startswith(str(tmp_path / "w.pt"))
    assert "weights_only" not in str(caught.value)


def test_what_a_beginning_tells_is_told_before_anything_is_done(tmp_path: Path) -> None:
    """What cannot be weights needs no reading of all of it."""
    (tmp_path / "some.log").write_text("12:00 began\n")
    with pytest.raises(ModelError, match=r"^some\.log cannot be read as weights: neither torch nor safetensors"):
        check("cnn", "some.log", tmp_path)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda one: one * float("nan"), "holds NaN or infinity in tensor layer3.0.conv1.weight"),
        (lambda one: one / 0, "holds NaN or infinity in tensor layer3.0.conv1.weight"),
        (
            lambda one: (one * 50).to(torch.int8),
            "holds int8 in tensor layer3.0.conv1.weight, where weights are floating",
        ),
    ],
)
def test_tensors_without_weights_are_named(
    broken: Callable[[Tensor], Tensor], words: str, tmp_path: Path, state: dict[str, Tensor]
) -> None:
    """NaN, infinity and whole numbers; counters are whole numbers by right."""
    name = "layer3.0.conv1.weight"
    torch.save(state | {name: broken(state[name])}, tmp_path / "w.pt")
    with pytest.raises(ModelError, match=re.escape(words)):
        load_init(build("resnet18", 3, SIZE), str(tmp_path / "w.pt"), "resnet18")


@pytest.mark.parametrize(
    "places",
    [torch.zeros(1, 50, 768, dtype=torch.int8), torch.zeros(1, 48, 768), torch.zeros(2, 50, 768)],
    ids=["whole numbers", "no square", "two"],
)
def test_places_that_cannot_be_resampled_do_not_fit(places: Tensor, tmp_path: Path) -> None:
    """Those of a transformer at another image size."""
    torch.save({"encoder.pos_embedding": places}, tmp_path / "w.pt")
    with pytest.raises(ModelError, match="differ, first class_token"):
        load_init(build("vit_b_32", 2, SIZE), str(tmp_path / "w.pt"), "vit_b_32")


@pytest.mark.parametrize(
    ("network", "longer"),
    [
        ("resnet18", "resnet34"),
        ("efficientnet_b0", "efficientnet_b1"),
        pytest.param("resnet50", "resnet101", marks=pytest.mark.slow),
        pytest.param("convnext_tiny", "convnext_small", marks=pytest.mark.slow),
        pytest.param("swin_t", "swin_s", marks=pytest.mark.slow),
        pytest.param("timm:resnet18", "timm:resnet34", marks=pytest.mark.slow),
    ],
)
def test_longer_network_is_not_cut_to_a_shorter_one(network: str, longer: str, tmp_path: Path) -> None:
    """A file of it holds every tensor of the shorter one, and more: in a file of theirs, and in a version of ours."""
    torch.save(whole(longer).state_dict(), tmp_path / "w.pt")
    save_weights(build(longer, 2, SIZE), tmp_path)
    for file in ("w.pt", WEIGHTS):
        with pytest.raises(ModelError, match=rf"does not fit {network}: it holds \d+ tensors that {network} has not"):
            load_init(build(network, 3, SIZE), str(tmp_path / file), network)


@pytest.mark.parametrize(
    "network",
    [
        "googlenet",
        "mnasnet0_5",
        "mobilenet_v3_small",
        "regnet_y_400mf",
        "resnet18",
        "shufflenet_v2_x0_5",
        "squeezenet1_1",
        "timm:test_resnet",
        "timm:test_vit",
        *(
            pytest.param(one, marks=pytest.mark.slow)
            for one in (
                "alexnet",
                "convnext_tiny",
                "densenet121",
                "efficientnet_b0",
                "mobilenet_v2",
                "swin_t",
                "vit_b_32",
                "timm:levit_128s",
                "timm:resnet10t",
                "timm:vit_tiny_patch16_224",
                "timm:volo_d1_224",
            )
        ),
    ],
)
def test_its_own_authors_file_fits_each_network(network: str, tmp_path: Path) -> None:
    """Heads for other classes, and those that help in training alone, are no reason to refuse it."""
    torch.save(whole(network).state_dict(), tmp_path / "w.pt")
    size = 160 if network == "timm:test_vit" else 224 if hub.is_of_timm(network) else SIZE
    load_init(build(network, 3, size), str(tmp_path / "w.pt"), network)


def test_densenets_are_read_by_the_names_of_their_files(tmp_path: Path) -> None:
    """In files of 2017 the parts of a layer are called norm.1 and conv.1, and no steps are counted."""
    torch.manual_seed(0)
    state = whole("densenet121").state_dict()
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", name): value
        for name, value in state.items()
        if checkpoints.COUNTER not in name
    }
    torch.save(OrderedDict(old), tmp_path / "w.pth")
    taker = build("densenet121", 3, SIZE)
    load_init(taker, str(tmp_path / "w.pth"), "densenet121")
    name = "features.denseblock4.denselayer16.conv2.weight"
    assert torch.equal(taker.backbone.state_dict()[name], state[name])


def test_mnasnet_comes_back_from_its_own_weights(tmp_path: Path) -> None:
    """Its class of torchvision asks which release wrote a state, which no file of weights tells."""
    giver, taker = build("mnasnet0_5", 2, SIZE), build("mnasnet0_5", 2, SIZE)
    save_weights(giver, tmp_path)
    taker.load_state_dict(checkpoints.read(tmp_path / WEIGHTS))
    assert torch.equal(taker.backbone.state_dict()["layers.0.weight"], giver.backbone.state_dict()["layers.0.weight"])
