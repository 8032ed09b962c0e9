"""What decides a training run: plain frozen values that can be digested, logged and shipped with the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

STRICT: dict[str, object] = {"extra": "forbid", "strict": True, "allow_inf_nan": False}
LOOKS = ("crop", "zoom", "flip", "rotate", "scale", "trivial", "erase")
"""The values that decide how an image of the stored side looks to the network."""
SMALLEST = 8
"""Least side of images, pixels."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One training run of the loop.

    The same recipe on the same data, with the same seed and thread count, gives the same weights.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = STRICT

    epochs: int
    """Passes over the training images."""
    batch_size: int = 64
    """Images a step; smaller sets use one batch of all their images."""
    min_steps: int = 0
    """A floor under the number of steps: tiny sets get more passes than `epochs` says."""
    steps: int = 0
    """Exactly so many steps, whatever `epochs` says: a time budget resolved; 0 = by `epochs`."""
    accumulate: int = 1
    """Parts that each batch is computed in, where memory does not hold it whole."""
    optimiser: Literal["sgd", "adamw"] = "sgd"
    """SGD with Nesterov's momentum, or AdamW (Loshchilov & Hutter 2019; a rate near 0.001)."""
    learning_rate: float = 0.1
    """Peak of the schedule."""
    first_layer_rate: float = 1.0
    """Rate of the first layer as a share of the head's; those between grow geometrically with depth."""
    schedule: Literal["cosine", "one_cycle"] = "cosine"
    """`one_cycle` climbs as a cosine too, and lowers the momentum while the rate is high (Smith & Topin 2018)."""
    warmup: float = 0.15
    """Share of the steps in which the rate climbs to its peak; then it falls as a cosine."""
    momentum: float = 0.9
    """Nesterov momentum of SGD, first beta of AdamW."""
    weight_decay: float = 5e-4
    """Applied to kernels and matrices alone: not to biases, normalisation, scales, tokens and tables of positions."""
    clip: float = 0.0
    """Largest norm of a step's gradient over all weights, longer ones are shortened to it (Pascanu et al. 2013);
    0 = as they are. What keeps a high rate from throwing good weights away in the first steps."""
    label_smoothing: float = 0.1
    """Share of the target spread over all classes (Szegedy et al. 2016)."""
    crop: float = 0.1
    """Reflect padding as a share of the image size, followed by one random crop."""
    zoom: float = 0.0
    """Random resized crops, the smallest of which takes this share of the area, in place of `crop`; 0 = none."""
    size: int = 0
    """Side that images are trained at, pixels, at least 8; 0 = as stored. The network answers at the stored side, which
    after `zoom` may well be a seventh larger (Touvron et al. 2019): 224 of 256."""
    flip: bool = True
    """Mirror half of the images left to right. False where left and right mean something, as for signs and digits."""
    rotate: float = 0.0
    """Largest random rotation, degrees."""
    scale: float = 0.0
    """Largest random change of size, as a share."""
    trivial: bool = False
    """Change each image by one random operation of random strength, as TrivialAugment does (Müller & Hutter 2021)."""
    erase: float = 0.0
    """Share of images that lose a random rectangle (Zhong et al. 2020)."""
    mixup: float = 0.0
    """Blend pairs of images and their targets by Beta(mixup, mixup) (Zhang et al. 2018); 0 = never."""
    cutmix: float = 0.0
    """Paste a rectangle of one image into another, its area by Beta(cutmix, cutmix) (Yun et al. 2019); with mixup
    on too, each batch takes one of them."""
    balance: Literal["none", "weights", "sampling"] = "none"
    """For unequal classes: weigh the loss by the inverse of a class's images, or draw all classes equally often."""
    ema: float = 0.0
    """Decay of a moving average of the weights, which then is the model; 0 = the weights of the last step."""
    patience: int = 0
    """Stop after so many reports without a better validation result, and keep the weights of the best; 0 = never."""
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """Of the matrix products; `auto` takes bf16 where the machine has it, else fp16 on a GPU, else fp32."""
    freeze_backbone: bool = False
    """Train the head alone."""
    freeze_statistics: bool = False
    """Keep what batch normalisation learned before: a few dozen images cannot give better means and spreads."""

    @property
    def augmentation(self) -> Recipe:
        """What of it changes single images but their side, the rest as by default."""
        return Recipe(epochs=1, **{name: getattr(self, name) for name in LOOKS})

    @property
    def mixes(self) -> bool:
        """Whether the images of a batch are mixed with one another."""
        return self.mixup > 0 or self.cutmix > 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("epochs", 1, 100_000),
            ("batch_size", 1, 65_536),
            ("min_steps", 0, 10_000_000),
            ("steps", 0, 100_000_000),
            ("accumulate", 1, 4096),
            ("learning_rate", 1e-9, 100),
            ("first_layer_rate", 1e-6, 1),
            ("warmup", 0, 1),
            ("momentum", 0, 1),
            ("weight_decay", 0, 10),
            ("clip", 0, 1000),
            ("label_smoothing", 0, 0.9),
            ("crop", 0, 0.5),
            ("zoom", 0, 1),
            ("size", 0, 1024),
            ("rotate", 0, 180),
            ("scale", 0, 0.9),
            ("erase", 0, 1),
            ("mixup", 0, 10),
            ("cutmix", 0, 10),
            ("ema", 0, 0.999999),
            ("patience", 0, 100_000),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} = {value} is outside {low} … {high}")
        if 0 < self.size < SMALLEST:
            raise ValueError(f"size = {self.size}: give 0 for the size as stored, or {SMALLEST} … 1024 pixels")
        if self.optimiser == "adamw" and self.momentum == 1:
            raise ValueError("momentum = 1 must be below 1 with adamw, whose mean of the gradients would stay zero")


@dataclass(frozen=True, kw_only=True)
class Chance:
    """How the random values and the rounding of a run come about."""

    seed: int
    deterministic: bool = False
    """Whether the same run gives the same weights on a GPU too."""
