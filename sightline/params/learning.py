"""The sections about learning: how networks are trained, evaluated, and let into use."""

from __future__ import annotations

from dataclasses import dataclass, field

from sightline import names
from sightline.params.section import Section
from sightline.recipe import Recipe

PRESET_KEYS = {
    "pretrain": ("pretrain", "recipe"),
    "finetune": ("finetune", "recipe"),
    "scratch": ("finetune", "scratch"),
}
"""Where the parts of a preset belong."""


@dataclass(frozen=True, kw_only=True)
class Pretrain(Section):
    """The backbone."""

    network: str
    """`cnn` (small images), any classification network of torchvision, such as resnet18, or timm:NAME of timm.
    With fasterrcnn: before its name boxes are found on its maps by Faster R-CNN, else by FCOS."""
    recipe: Recipe
    init: str | None = None
    """Start from a backbone that comes with Sightline (embedded:fractals), a torchvision weights name
    (ResNet18_Weights.IMAGENET1K_V1, or FasterRCNN_ResNet50_FPN_Weights.COCO_V1: a detector's trunk), timm:NAME or
    hf-hub:USER/NAME, a .pt/.safetensors file, a registered version (registry:NAME/VERSION or registry:NAME@alias), or
    the present `champion`, for a warm start."""


@dataclass(frozen=True, kw_only=True)
class Transfer(Section):
    """The linear head on frozen features."""

    penalties: list[float] = field(default_factory=lambda: [1e-3, 1e-2, 1e-1, 1.0, 10.0])
    """L2 penalties to try; cross-validation on the training images picks one."""

    def __post_init__(self) -> None:
        if not self.penalties or min(self.penalties) <= 0:
            raise ValueError(f"penalties = {self.penalties}: give one or more, each above 0, such as [0.01, 1.0]")


@dataclass(frozen=True, kw_only=True)
class Finetune(Section):
    """Both target runs: from the backbone with its fitted head (LP-FT), and from scratch."""

    recipe: Recipe
    scratch: Recipe


@dataclass(frozen=True, kw_only=True)
class Evaluate(Section):
    """The report on the test release."""

    release: str = "r1"
    """Name of the test release; its images are fixed at first use."""
    kept: float = 0.95
    """Share of a release's images that must still be there: without the others it goes on, and names them. `--set`
    writes it into params.yaml."""
    wanted_accuracy: float = 0.99
    """Share of right ones among the answers that are sure enough; the others are told as `abstain`."""
    wanted_precision: float | None = None
    """Of several labels and of boxes: share of right ones among the answers of each class. None: the highest F1."""

    def __post_init__(self) -> None:
        names.check("release", self.release)
        if not 0.5 <= self.kept <= 1:
            raise ValueError(f"kept = {self.kept:g} is outside 0.5 … 1: a release that lost half is another one")
        for name in ("wanted_accuracy", "wanted_precision"):
            value = getattr(self, name)
            if value is not None and not 0.5 <= value < 1:
                raise ValueError(f"{name} = {value:g} must be at least 0.5 and below 1: no model is always right")


@dataclass(frozen=True, kw_only=True)
class Gate(Section):
    """What a version must show to become champion. Which checks there are is no value: none can be switched off."""

    min_accuracy: float = 0.5
    """The first champion is right in at least this share of the test images …"""
    min_gain_over_majority: float = 0.05
    """… and beats the answer "always the most frequent class" by at least this."""
    alpha: float = 0.05
    """Chance that any of all candidates is promoted without being better; at most 0.05. Promotions earn another."""
    margin: float = 0.01
    """What `no_worse` means: worse by less than this share of the images; 0.01 is one point."""
    new_traffic: float | None = None
    """Share of the answers asked for images like the newly labelled ones: then the weighted sum is judged too."""
    robust_margin: float = 0.05
    """Share of the corrupted images that may be lost against the champion; blocks where a larger loss is shown."""
    approval: bool = False
    """Whether the promotion flow pauses for a person once all checks have passed."""

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 0.05:
            raise ValueError(
                f"alpha = {self.alpha:g} must be above 0 and at most 0.05: the gate can be made stricter, not laxer"
            )
        if not 0 < self.margin <= 0.05:
            raise ValueError(
                f"margin = {self.margin:g} must be above 0 and at most 0.05, the share of images that may be lost"
            )
        if self.new_traffic is not None and not 0 < self.new_traffic < 1:
            raise ValueError(f"new_traffic = {self.new_traffic:g} must be a share above 0 and below 1")
        if not 0 < self.robust_margin <= 0.2:
            raise ValueError(
                f"robust_margin = {self.robust_margin:g} must be above 0 and at most 0.2, the share that may be lost"
            )
        if not (0 <= self.min_accuracy <= 1 and 0 <= self.min_gain_over_majority <= 1):
            raise ValueError("min_accuracy and min_gain_over_majority are shares between 0 and 1")


@dataclass(frozen=True, kw_only=True)
class Train(Section):
    """How training uses the machine; decides nothing that is learned, but for rounding and dropout."""

    workers: int = 1
    """Processes that train one network together, each with a part of every batch and, where there are GPUs, its own."""

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= 1024:
            raise ValueError(f"workers = {self.workers} is outside 1 … 1024 processes")
