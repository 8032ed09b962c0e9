"""A backbone of the zoo under a pyramid of its maps (Lin et al. 2017), on which detectors answer."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sightline.errors import ModelError
from sightline.heads.fcos import STRIDES
from sightline.models import zoo

WIDTH = 96
"""Of every map of the pyramid."""
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


class Pyramid(nn.Module):
    """The maps that a detector answers on; what answers is its subclasses'."""

    def __init__(self, backbone: nn.Module, taps: dict[int, Tap]) -> None:
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
        return seen[max(seen)].mean((2, 3)).float(), self.found(seen, images.shape[2])

    def found(self, seen: dict[int, Tensor], size: int) -> Tensor:
        """Candidates (N, K, 6), as `heads.fcos.candidates` has them, in what the backbone has `seen`."""
        raise NotImplementedError

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


def stages(backbone: nn.Module) -> list[nn.Module]:
    """The parts of a backbone in the order in which they pass on their maps; what follows the maps is among them."""
    found: list[nn.Module] = []
    for name, part in backbone.named_children():
        found += list(part.children()) if name in LISTS else [part]
    return found


def under(network: str, size: int) -> tuple[nn.Module, dict[int, Tap]]:
    """The backbone of a fresh `network` for square images of `size` pixels, and its last map of each stride.

    Raises ModelError for an unknown network, one whose maps make no pyramid, or a size that its coarsest map does not
    divide.
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
    return backbone, taps


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
