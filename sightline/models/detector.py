"""What answers at each location of a pyramid: FCOS (Tian et al. 2019) with groups normalised (Wu & He 2018)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sightline.heads.fcos import candidates, places, suppressed
from sightline.models.named import FASTER_RCNN
from sightline.models.pyramid import WIDTH, Pyramid, under

if TYPE_CHECKING:
    from sightline.models.pyramid import Tap

DEPTH, GROUPS = 2, 16
"""Convolutions before an answer, and into how many groups their maps are normalised."""
RARE = 0.01
"""What the classes are answered with at first: nearly every location has none (Lin et al. 2017)."""


class Detector(Pyramid):
    """Images (N, 3, S, S) → raw answers (N, L, C + 8) in training, else answers (N, 100, 6), as in `heads.fcos`."""

    def __init__(self, backbone: nn.Module, taps: dict[int, Tap], classes: int) -> None:
        super().__init__(backbone, taps)
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

    def forward(self, images: Tensor, targets: Tensor | None = None) -> Tensor:  # noqa: ARG002 — each location answers, whatever is there
        """Answers, raw ones in training."""
        return self.raw(self.seen(images)) if self.training else suppressed(self.described(images)[1])

    def found(self, seen: dict[int, Tensor], size: int) -> Tensor:
        """The likeliest boxes of all locations."""
        return candidates(self.raw(seen), size)

    def raw(self, seen: dict[int, Tensor]) -> Tensor:
        """Raw answers to what the backbone has `seen`."""
        stride, first = next(iter(seen.items()))
        where = places(first.shape[2] * stride, first.device)
        found = torch.cat([self._answers(one) for one in self.maps(seen)], dim=1)
        logits, distances, centredness = found[..., :-5], F.softplus(found[..., -5:-1]), found[..., -1:]
        reach = distances * where[:, 2:]
        boxes = torch.cat([where[:, :2] - reach[..., :2], where[:, :2] + reach[..., 2:]], dim=-1)
        return torch.cat([logits, boxes, centredness, where.expand(found.shape[0], -1, -1)], dim=-1)

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


def build(network: str, classes: int, size: int) -> Pyramid:
    """A fresh detector on the backbone of `network`, for square images of `size` pixels: Faster R-CNN by its prefix.

    Weights are from torch's global random state. Raises ModelError as `pyramid.under`.
    """
    backbone, taps = under(network, size)
    if network.startswith(FASTER_RCNN):
        from sightline.models.regions import FasterRCNN

        return FasterRCNN(backbone, taps, classes)
    return Detector(backbone, taps, classes)
