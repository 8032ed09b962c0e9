"""Where an image lies in a square that it was put into without being squeezed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sightline.images.boxes import Floats

GROUND = (124, 116, 104)
"""The colour around it: the mean of ImageNet's pixels, which is nothing once it is normalised."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """How an image was put into a square."""

    width: int
    height: int
    """Of the upright image, pixels."""
    size: int
    """Side of the square."""

    @property
    def sides(self) -> tuple[int, int]:
        """Width and height that the image has in the square."""
        longest = max(self.width, self.height)
        across, down = (max(1, round(side * self.size / longest)) for side in (self.width, self.height))
        return across, down

    @property
    def corner(self) -> tuple[int, int]:
        """Left and top edge of the image in the square."""
        across, down = self.sides
        return (self.size - across) // 2, (self.size - down) // 2

    def into(self, boxes: Floats) -> Floats:
        """Boxes (N, 4) of the image as boxes of the square."""
        scale, shift = self._map()
        found: Floats = boxes * scale + shift
        return found

    def back(self, boxes: Floats) -> Floats:
        """Boxes (N, 4) of the square as boxes of the image, cut to it."""
        scale, shift = self._map()
        found: Floats = ((boxes - shift) / scale).clip(0, (self.width, self.height) * 2)
        return found

    def _map(self) -> tuple[Floats, Floats]:
        across, down = self.sides
        return np.tile((across / self.width, down / self.height), 2), np.tile(
            np.array(self.corner, dtype=np.float64), 2
        )
