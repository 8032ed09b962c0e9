"""Two looks at an image: where something is, then what it is: Faster R-CNN (Ren et al. 2015) on a pyramid of maps.

The parts are torchvision's, as of Lin et al. (2017), smaller where the pyramid is narrower than theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sightline.errors import ModelError
from sightline.heads.boxed import MOST, OVERLAP
from sightline.heads.fcos import CANDIDATES, LEAST_SCORE, STRIDES, suppressed
from sightline.heads.targets import CLASS, KIND, NOTHING, OBJECT
from sightline.heads.targets import WIDTH as COLUMNS
from sightline.models.operators import ensure
from sightline.models.pyramid import WIDTH, Pyramid

ensure()
from torchvision.models.detection.anchor_utils import AnchorGenerator  # noqa: E402 — importable only now
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead  # noqa: E402
from torchvision.models.detection.image_list import ImageList  # noqa: E402
from torchvision.models.detection.roi_heads import RoIHeads, fastrcnn_loss  # noqa: E402
from torchvision.models.detection.rpn import RegionProposalNetwork, RPNHead  # noqa: E402
from torchvision.ops import MultiScaleRoIAlign, box_iou  # noqa: E402

if TYPE_CHECKING:
    from sightline.models.pyramid import Tap

    Told = list[dict[str, Tensor]]

STEPS, RATIOS = (2.0, 3.2, 5.0), (0.5, 1.0, 2.0)
"""Sides of the anchors at a location, in strides of its map, and their heights over their widths: 16 to 320 pixels."""
LOOKED_AT, PROPOSED = 400, 300
"""Of each map the likeliest anchors, which suppress one another, and what is left of an image, at most."""
PARTS, SEEN = 7, 256
"""Parts of a region's side, and the width of what is made of them."""
ANCHORS_LEARNED, REGIONS_LEARNED = 256, 128
"""Of each image in a step."""
RIGHT = 0.5
"""Overlap from which on a region is of an object."""


class FasterRCNN(Pyramid):
    """Images (N, 3, S, S) → answers (N, 100, 6), as in `heads.fcos`; in training with targets (N, M, 6) costs (C + 1,).

    Costs are means over what is learned from: of the regions with an object of each class, and of everything else (of
    regions without one, of where regions are, and of what is proposed). Which anchors and regions of an image are
    learned from is drawn from torch's global random state.
    """

    def __init__(self, backbone: nn.Module, taps: dict[int, Tap], classes: int) -> None:
        super().__init__(backbone, taps)
        self.number = classes
        sizes = tuple(tuple(round(step * stride) for step in STEPS) for stride in STRIDES)
        self.proposals = _Proposals(
            AnchorGenerator(sizes, (RATIOS,) * len(STRIDES)),
            RPNHead(WIDTH, len(STEPS) * len(RATIOS)),
            fg_iou_thresh=0.7,
            bg_iou_thresh=0.3,
            batch_size_per_image=ANCHORS_LEARNED,
            positive_fraction=0.5,
            pre_nms_top_n={"training": LOOKED_AT, "testing": LOOKED_AT},
            post_nms_top_n={"training": PROPOSED, "testing": PROPOSED},
            nms_thresh=0.7,
        )
        self.regions = _Regions(
            MultiScaleRoIAlign([str(stride) for stride in STRIDES], PARTS, sampling_ratio=2),
            TwoMLPHead(WIDTH * PARTS**2, SEEN),
            FastRCNNPredictor(SEEN, classes + 1),
            fg_iou_thresh=RIGHT,
            bg_iou_thresh=RIGHT,
            batch_size_per_image=REGIONS_LEARNED,
            positive_fraction=0.25,
            bbox_reg_weights=None,
            score_thresh=LEAST_SCORE,
            nms_thresh=OVERLAP,
            detections_per_img=MOST,
        )

    def forward(self, images: Tensor, targets: Tensor | None = None) -> Tensor:
        """Answers, or in training what they cost."""
        if not self.training or targets is None:
            return suppressed(self.described(images)[1])
        with torch.autocast(images.device.type, enabled=False):
            return self._costs(images, targets)

    def _costs(self, images: Tensor, targets: Tensor) -> Tensor:
        maps, told = self._named(self.seen(images)), [_told(rows) for rows in targets]
        proposed, first = self.proposals(_listed(len(images), images.shape[2], images), maps, told)
        regions, _, numbers, edges = self.regions.select_training_samples(proposed, told)
        logits, moves = self._looked_at(maps, regions, images.shape[2])
        _, misplaced = fastrcnn_loss(logits, moves, numbers, edges)
        # torchvision's class 0 is that nothing is there, which is ours behind all others.
        label = torch.cat(numbers)
        each = F.cross_entropy(logits, label, reduction="none") / len(label)
        costs = each.new_zeros(self.number + 1).index_add(0, (label - 1) % (self.number + 1), each)
        rest = misplaced + sum(first.values())
        return torch.cat([costs[:-1], costs[-1:] + rest])

    def found(self, seen: dict[int, Tensor], size: int) -> Tensor:
        """Each class that a proposed region may be of is a candidate; none are suppressed yet."""
        if torch.compiler.is_exporting():
            raise ModelError("proposals of Faster R-CNN suppress one another")
        maps = self._named(seen)
        count = len(next(iter(maps.values())))
        proposed, _ = self.proposals(_listed(count, size, maps[str(STRIDES[0])]), maps)
        logits, moves = self._looked_at(maps, proposed, size)
        edges = self.regions.box_coder.decode(moves, proposed).reshape(len(logits), -1, CLASS)[:, 1:].clamp(0, size)
        scores, sizes = F.softmax(logits, -1)[:, 1:], [len(one) for one in proposed]
        rows = scores.new_zeros(count, min(CANDIDATES, PROPOSED * self.number), COLUMNS)
        rows[..., CLASS] = NOTHING
        for number, (boxes, score) in enumerate(zip(edges.split(sizes), scores.split(sizes), strict=True)):
            best, order = score.flatten().topk(min(rows.shape[1], score.numel()))
            kept = int((best > LEAST_SCORE).sum())
            label = (order % self.number).to(boxes)
            rows[number, :kept] = torch.cat([boxes.flatten(0, 1)[order], label[:, None], best[:, None]], dim=1)[:kept]
        return rows.float()

    def _named(self, seen: dict[int, Tensor]) -> dict[str, Tensor]:
        """The pyramid's maps by their strides, in float32 at least: edges in pixels are more than half of it holds."""
        maps = zip(STRIDES, self.maps(seen), strict=True)
        return {str(stride): one.to(torch.promote_types(one.dtype, torch.float32)) for stride, one in maps}

    def _looked_at(self, maps: dict[str, Tensor], regions: list[Tensor], size: int) -> tuple[Tensor, Tensor]:
        """Logits (R, C + 1) and moves of the edges (R, 4 · (C + 1)) of all regions."""
        parts = self.regions.box_roi_pool(maps, regions, [(size, size)] * len(regions))
        logits, moves = self.regions.box_predictor(self.regions.box_head(parts))
        return logits, moves


class _Proposals(RegionProposalNetwork):  # type: ignore[misc]
    """Where something may be; anchors in what is not to be learned are no example of nothing."""

    def assign_targets_to_anchors(self, anchors: list[Tensor], targets: Told) -> tuple[list[Tensor], list[Tensor]]:
        labels, boxes = super().assign_targets_to_anchors(anchors, targets)
        for label, mine, one in zip(labels, anchors, targets, strict=True):
            label[(label == 0) & _inside(mine, one["others"])] = -1
        return labels, boxes


class _Regions(RoIHeads):  # type: ignore[misc]
    """What it is; the same of what was proposed."""

    def select_training_samples(self, proposals: list[Tensor], targets: Told) -> Any:
        known = [_kept(mine, one) for mine, one in zip(proposals, targets, strict=True)]
        return super().select_training_samples(known, targets)


def _kept(proposals: Tensor, told: dict[str, Tensor]) -> Tensor:
    right = (box_iou(proposals, told["boxes"]) >= RIGHT).any(1)
    return proposals[right | ~_inside(proposals, told["others"])]


def _inside(boxes: Tensor, others: Tensor) -> Tensor:
    """Whether the middle of each box (K,) lies in any of `others` (M, 4)."""
    middle = ((boxes[:, :2] + boxes[:, 2:]) / 2)[:, None]
    return ((middle >= others[:, :2]) & (middle <= others[:, 2:])).all(-1).any(1)


def _told(rows: Tensor) -> dict[str, Tensor]:
    """The targets (M, 6) of an image as torchvision has them, and beside them what is not to be learned."""
    there = rows[rows[:, CLASS] >= 0]
    objects, others = there[there[:, KIND] == OBJECT], there[there[:, KIND] != OBJECT]
    low, high = objects[:, :2], objects[:, 2:CLASS]
    # The logarithm is taken of a side: a box is a pixel wide at least.
    boxes = torch.cat([low, torch.maximum(high, low + 1)], dim=1)
    return {"boxes": boxes, "labels": objects[:, CLASS].long() + 1, "others": others[:, :CLASS]}


def _listed(count: int, size: int, like: Tensor) -> ImageList:
    """As many images as torchvision asks for their sizes alone."""
    return ImageList(like.new_empty(count, 0, size, size), [(size, size)] * count)
