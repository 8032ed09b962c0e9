"""Networks: our small CNN, and all that torchvision and timm have for classification, each as backbone and head."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sightline.errors import ModelError
from sightline.models import checkpoints, hub, published, renormalised, shipped, smallmaps, stem
from sightline.models.named import backbone_of, placed
from sightline.models.operators import ensure

POSITIONS = "encoder.pos_embedding"
"""What torchvision's vision transformers call their places."""


class Classifier(nn.Module):
    """A backbone (images (N, 3, H, W) → features (N, D)) and a linear head (→ logits (N, classes))."""

    def __init__(self, backbone: nn.Module, width: int, classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(width, classes)
        nn.init.zeros_(self.head.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes)."""
        return self.described(images)[1]

    @property
    def width(self) -> int:
        """Of the features."""
        return self.head.in_features

    def described(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, D), and logits (N, classes)."""
        features = self.backbone(images)
        return features, self.head(features)


class SmallCNN(nn.Sequential):
    """Six convolutions for images up to about 64 px; features of width 256."""

    width = 256

    def __init__(self) -> None:
        super().__init__(
            *_conv(3, 32),
            nn.MaxPool2d(2),
            *_conv(32, 64),
            *_conv(64, 64),
            nn.MaxPool2d(2),
            *_conv(64, 128),
            *_conv(128, 128),
            nn.MaxPool2d(2),
            *_conv(128, 256),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        )


def _conv(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def names() -> list[str]:
    """Every network that `build` knows."""
    ensure()
    from torchvision import models

    return ["cnn", *models.list_models(module=models)]


def build(network: str, classes: int, size: int) -> Classifier:
    """A fresh `network` for square images of `size` pixels; weights from torch's global random state.

    `timm:NAME` is one of timm's, any other name one of torchvision's; how boxes are found does not matter here.

    Raises ModelError for an unknown name, or where the network cannot take images of that size.
    """
    network = backbone_of(network)
    if network == "cnn":
        return Classifier(SmallCNN(), SmallCNN.width, classes)
    if hub.is_of_timm(network):
        backbone = hub.backbone(network, size)
        return Classifier(backbone, _width(backbone, network, size), classes)
    backbone = _torchvision(network, size)
    _strip_head(backbone, network)
    renormalised.renormalise(backbone, *published.normalisation(network))
    return Classifier(backbone, _width(backbone, network, size), classes)


def check(network: str, init: str | None, root: Path = Path()) -> None:
    """Raise ModelError where there is no such network, or where `init`, as in `load_init`, names no weights of it.

    The path of a file begins at `root`. Of files only the beginnings are read, and nothing is fetched.
    """
    network = backbone_of(network)
    if hub.is_of_timm(network):
        hub.check(network)
    elif network != "cnn" and network not in names():
        import difflib

        close = difflib.get_close_matches(network, names(), n=3) or ["cnn", "resnet18"]
        raise ModelError(f"network {network!r} is unknown; did you mean {' or '.join(close)}?")
    if init is None:
        return
    if hub.is_of_timm(init):
        hub.check(init, network)
    elif shipped.is_shipped(init):
        shipped.networks(init)
    elif checkpoints.is_path(init, file := placed(root, init)):
        checkpoints.check(init, file)
    else:
        published.named(init, network)


def _torchvision(network: str, size: int) -> nn.Module:
    check(network, None)
    from torchvision import models

    builder = models.get_model_builder(network)
    known = inspect.signature(builder).parameters
    options: dict[str, Any] = {}
    if network.startswith(("vit_",)):
        options["image_size"] = size
    elif network.startswith("maxvit"):
        options["input_size"] = (size, size)
    elif network in {"googlenet", "inception_v3"}:
        options = {"aux_logits": False, "init_weights": True}
    if "weights" not in known:
        raise ModelError(f"network {network!r} cannot be built by name")
    try:
        made: nn.Module = builder(weights=None, **options)
    except (ValueError, AssertionError) as error:
        raise ModelError(f"network {network!r} cannot take images of {size} px: {error}") from None
    if network.startswith("mnasnet"):
        # Its class asks of all weights which release of it wrote them, which no file of ours tells.
        layers, classifier = made.children()
        parts = {"layers": layers, "pool": nn.AdaptiveAvgPool2d(1), "flat": nn.Flatten(), "classifier": classifier}
        return nn.Sequential(OrderedDict(parts))
    return made


def _strip_head(backbone: nn.Module, network: str) -> None:
    """Replace the last linear layer by the identity; SqueezeNet classifies by a convolution."""
    if network.startswith("squeezenet"):
        backbone.classifier = nn.AdaptiveAvgPool2d(1)
        return
    linear = [name for name, module in backbone.named_modules() if isinstance(module, nn.Linear)]
    parent, _, child = linear[-1].rpartition(".")
    setattr(backbone.get_submodule(parent), child, nn.Identity())


def _width(backbone: nn.Module, network: str, size: int) -> int:
    """Width of the features, seen on a first pass, which also mends the strides that would hurt."""
    hooks = [module.register_forward_pre_hook(_mend) for module in backbone.modules() if isinstance(module, nn.Conv2d)]
    try:
        return int(try_out(backbone, network, size, "set preprocess.size higher").shape[1])
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def try_out(module: nn.Module, network: str, size: int, remedy: str) -> Tensor:
    """What `module`, a part of `network`, answers to two black images of `size` pixels.

    Raises ModelError with the remedy where it cannot take such images.
    """
    was_training = module.training
    module.eval()
    try:
        answers: Tensor = module(torch.zeros(2, 3, size, size))
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"network {network!r} cannot take images of {size} px ({reason}); {remedy}") from None
    finally:
        module.train(was_training)
    return answers


def _mend(convolution: nn.Conv2d, inputs: tuple[Tensor, ...]) -> None:
    """Go round what oneDNN does badly where small images meet a deep network; the answers stay the same.

    A convolution that strides over a map of one pixel gets the stride 1: the bf16 gradient of its weights would read
    foreign memory (values up to 1e38 in weights that should have none). Where the map has few pixels, that gradient
    is slow. What a GPU does badly with three colours is gone round in the same way.
    """
    centred = convolution.padding == tuple(side // 2 for side in convolution.kernel_size)
    if inputs[0].shape[-2:] == (1, 1) and centred:
        convolution.stride = (1, 1)
    if type(convolution) is nn.Conv2d and smallmaps.fits(convolution, inputs[0]):
        convolution.__class__ = smallmaps.SmallMapConv2d
    elif type(convolution) is nn.Conv2d and stem.fits(convolution, inputs[0]):
        convolution.__class__ = stem.StemConv2d


def load_init(model: nn.Module, init: str, network: str) -> None:
    """Put the weights that `init` names into the backbone of a classifier or detector.

    `init` is a file (of torch or safetensors: state of a Classifier, of a backbone, or of a network of torchvision or
    timm, perhaps with what a script saved around it), a backbone that comes with this package (`shipped`), or the name
    of weights of torchvision (a detector's are its trunk's) or timm, which these look up in their caches and download
    when they are not there. The positions of a vision transformer are resampled where it was trained at another image
    size; the pixels that its weights expect come with a network of torchvision, as with timm's.
    Raises ModelError where the weights are missing or do not fit.
    """
    network = backbone_of(network)
    check(network, init)
    backbone = model.get_submodule("backbone")
    own = backbone.state_dict()
    if hub.is_of_timm(init):
        state = hub.weights(init, network, backbone)
    elif shipped.is_shipped(init):
        state = checkpoints.read(shipped.weights(init, network))
    elif checkpoints.is_path(init, file := placed(Path(), init)):
        state = checkpoints.read(file)
    else:
        state = published.weights(init, network, own)
    backbone.load_state_dict(checkpoints.fitted(init, _given(state, backbone, network), own, network))


def _given(state: dict[str, Tensor], backbone: nn.Module, network: str) -> dict[str, Tensor]:
    """The tensors of `state`, of whatever network, that are the backbone's, as it has them."""
    given = checkpoints.unprefixed(published.renamed(state, network), backbone.state_dict())
    if network.startswith("vit_") and POSITIONS in given:
        given = _resampled(given, backbone)
    if isinstance(backbone, hub.Renormalised):
        return hub.renamed(given, backbone)
    is_ours = any(name.startswith(checkpoints.OWN) for name in state)
    return renormalised.values(backbone, is_ours=is_ours) | given


def _resampled(state: dict[str, Tensor], backbone: Any) -> dict[str, Tensor]:
    from torchvision.models.vision_transformer import interpolate_embeddings

    places = {name: value.float() if name == POSITIONS else value for name, value in state.items()}
    try:
        return dict(interpolate_embeddings(backbone.image_size, backbone.patch_size, OrderedDict(places)))
    except ValueError:  # of no square: they do not fit
        return state
