"""A backbone of the zoo under a pyramid of its maps, and what answers at each of their locations.

The pyramid is Lin et al.'s (2017), the answering part FCOS's (Tian et al. 2019) with groups normalised (Wu & He 2018).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sightline.errors import ModelError
from sightline.heads.fcos import STRIDES, candidates, places, suppressed
from sightline.models import zoo

WIDTH = 96
"""Of every map of the pyramid."""
DEPTH, GROUPS = 2, 16
"""Convolutions before an answer, and into how many groups their maps are normalised."""
RARE = 0.01
"""What the classes are answered with at first: nearly every location has none (Lin et al. 2017)."""
PIXELS = 2**21
"""Of images that are answered at a time."""
MAP = 4
"""Axes of a batch of maps."""
LISTS = ("features", "trunk_output", "layers", "blocks")
"""Where networks keep their stages in a list of their own."""


class Tap(NamedTuple):
    """Where a backbone gives a map, and how many channels that has."""

    stage: int
    width: int


class Detector(nn.Module):
    """Images (N, 3, S, S) → raw answers (N, L, C + 8) in training, else answers (N, 100, 6), as in `heads.fcos`."""

    def __init__(self, backbone: nn.Module, taps: dict[int, Tap], classes: int) -> None:
        """`taps`: of the backbone's last map of each stride."""
        super().__init__()
        self.backbone = backbone
        self.taps = {tap.stage: stride for stride, tap in taps.items()}
        self.width = next(reversed(taps.values())).width
        """Of the features by which whole images are told apart."""
        self.across = nn.ModuleDict({str(stride): nn.Conv2d(tap.width, WIDTH, 1) for stride, tap in taps.items()})
        self.smooth = nn.ModuleDict({str(stride): nn.Conv2d(WIDTH, WIDTH, 3, padding=1) for stride in taps})
        further = STRIDES[len(taps) :]
        self.further = nn.ModuleList(nn.Conv2d(WIDTH, WIDTH, 3, stride=2, padding=1) for _ in further)
        self.class_tower, self.box_tower = _tower(), _tower()
        self.classes = nn.Conv2d(WIDTH, classes, 3, padding=1)
        self.edges = nn.Conv2d(WIDTH, 5, 3, padding=1)
        classes_bias, edges_bias = torch.zeros(classes), torch.zeros(5)
        classes_bias.fill_(-math.log((1 - RARE) / RARE))
        # Each edge is four strides away at first, the middle of what a map answers for.
        edges_bias[:4] = 4.0
        for part, bias in ((self.classes, classes_bias), (self.edges, edges_bias)):
            nn.init.normal_(part.weight, std=0.01)
            part.bias = nn.Parameter(bias)

    def forward(self, images: Tensor) -> Tensor:
        """Answers, raw ones in training."""
        return self.raw(self.seen(images)) if self.training else suppressed(self.described(images)[1])

    def described(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, D) of whole images, the means of the backbone's coarsest map, and candidates (N, K, 6)."""
        if torch.compiler.is_exporting():
            return self._described(images)
        # A few images at a time: the maps of many would fill the memory.
        found = [self._described(part) for part in images.split(max(1, PIXELS // images.shape[2] ** 2))]
        features, boxes = zip(*found, strict=True)
        return torch.cat(features), torch.cat(boxes)

    def _described(self, images: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.seen(images)
        return seen[max(seen)].mean((2, 3)).float(), candidates(self.raw(seen), images.shape[2])

    def raw(self, seen: dict[int, Tensor]) -> Tensor:
        """Raw answers to what the backbone has `seen`."""
        stride, first = next(iter(seen.items()))
        where = places(first.shape[2] * stride, first.device)
        found = torch.cat([self._answers(one) for one in self.maps(seen)], dim=1)
        logits, distances, centredness = found[..., :-5], F.softplus(found[..., -5:-1]), found[..., -1:]
        reach = distances * where[:, 2:]
        boxes = torch.cat([where[:, :2] - reach[..., :2], where[:, :2] + reach[..., 2:]], dim=-1)
        return torch.cat([logits, boxes, centredness, where.expand(found.shape[0], -1, -1)], dim=-1)

    def maps(self, seen: dict[int, Tensor]) -> list[Tensor]:
        """The pyramid: a map (N, 96, S / stride, S / stride) for each stride, each with what the coarser ones saw."""
        merged: list[Tensor] = []
        for name, across in reversed(list(self.across.items())):
            mine = across(seen[int(name)])
            if merged:
                mine = mine + F.interpolate(merged[0], size=mine.shape[-2:])
            merged.insert(0, mine)
        found = [smooth(one) for smooth, one in zip(self.smooth.values(), merged, strict=True)]
        for convolution in self.further:
            found.append(convolution(found[-1]))
        return found

    def seen(self, images: Tensor) -> dict[int, Tensor]:
        """The backbone's last map of each stride, the finest first."""
        seen, one = {}, images
        for number, stage in enumerate(stages(self.backbone)[: max(self.taps) + 1]):
            one = stage(one)
            if number in self.taps:
                seen[self.taps[number]] = one
        return seen

    def _answers(self, one: Tensor) -> Tensor:
        """Logits of the classes, four distances and centredness of one map (N, H · W, C + 5), float32."""
        both = torch.cat([self.classes(self.class_tower(one)), self.edges(self.box_tower(one))], dim=1)
        return both.flatten(2).mT.float()


def _tower() -> nn.Sequential:
    parts: list[nn.Module] = []
    for _ in range(DEPTH):
        parts += [
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1, bias=False),
            nn.GroupNorm(GROUPS, WIDTH),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*parts)


def stages(backbone: nn.Module) -> list[nn.Module]:
    """The parts of a backbone in the order in which they pass on their maps; what follows the maps is among them."""
    found: list[nn.Module] = []
    for name, part in backbone.named_children():
        found += list(part.children()) if name in LISTS else [part]
    return found


def build(network: str, classes: int, size: int) -> Detector:
    """A fresh detector on the backbone of `network`, for square images of `size` pixels.

    Weights are from torch's global random state. Raises ModelError for an unknown network, one whose maps make no
    pyramid, or a size that its coarsest map does not divide.
    """
    if size % STRIDES[-1]:
        raise ModelError(f"images of {size} px: detectors take multiples of {STRIDES[-1]}; set preprocess.size")
    backbone = zoo.build(network, 1, size).backbone
    taps = _taps(backbone, size)
    if list(taps) != list(STRIDES[: len(taps)]) or not taps:
        raise ModelError(
            f"network {network!r} has no maps at steps of {STRIDES[0]}, {STRIDES[1]} … pixels in a row, on which boxes "
            "are found: take cnn, or a ResNet, RegNet, MobileNet, EfficientNet or ConvNeXt"
        )
    return Detector(backbone, taps, classes)


@torch.no_grad()
def _taps(backbone: nn.Module, size: int) -> dict[int, Tap]:
    """Of each stride the last stage that gives a map of it, seen on two black images."""
    taps: dict[int, Tap] = {}
    was_training = backbone.training
    backbone.eval()
    one = torch.zeros(2, 3, size, size)
    for number, stage in enumerate(stages(backbone)):
        try:
            one = stage(one)
        except (RuntimeError, ValueError, TypeError, AttributeError, IndexError, AssertionError):
            break  # from here on it is no chain
        if one.ndim != MAP or one.shape[2] != one.shape[3] or isinstance(stage, nn.AdaptiveAvgPool2d):
            break
        if one.shape[2] * (stride := size // one.shape[2]) == size and stride in STRIDES:
            taps[stride] = Tap(number, one.shape[1])
    backbone.train(was_training)
    return dict(sorted(taps.items()))
