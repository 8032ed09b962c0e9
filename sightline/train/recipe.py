"""What decides a training run: plain frozen values that can be digested, logged and shipped with the weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

STRICT: dict[str, object] = {"extra": "forbid", "strict": True}


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
    learning_rate: float = 0.1
    """Peak of the schedule."""
    warmup: float = 0.15
    """Share of the steps in which the rate climbs to its peak; then it falls as a cosine."""
    momentum: float = 0.9
    """Nesterov momentum of SGD."""
    weight_decay: float = 5e-4
    """Not applied to biases and normalisation."""
    label_smoothing: float = 0.1
    """Share of the target spread over all classes (Szegedy et al. 2016)."""
    crop: float = 0.1
    """Reflect padding as a share of the image size, followed by one random crop."""
    flip: bool = True
    """Mirror half of the images left to right. False where left and right mean something, as for signs and digits."""
    rotate: float = 0.0
    """Largest random rotation, degrees."""
    scale: float = 0.0
    """Largest random change of size, as a share."""
    freeze_backbone: bool = False
    """Train the head alone."""
    freeze_statistics: bool = False
    """Keep what batch normalisation learned before: a few dozen images cannot give better means and spreads."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("epochs", 1, 100_000),
            ("batch_size", 1, 65_536),
            ("min_steps", 0, 10_000_000),
            ("learning_rate", 1e-9, 100),
            ("warmup", 0, 1),
            ("momentum", 0, 1),
            ("weight_decay", 0, 10),
            ("label_smoothing", 0, 0.9),
            ("crop", 0, 0.5),
            ("rotate", 0, 180),
            ("scale", 0, 0.9),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{name} = {value} is outside {low} … {high}")
