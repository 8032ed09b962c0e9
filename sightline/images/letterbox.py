"""An image in a square without being squeezed, and where its boxes lie there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sightline.images.normalise import GROUND
from sightline.images.reading import MAX_PIXELS, open_image, to_rgb, upright_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.images.boxes import Floats


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


def letterbox(data: bytes, size: int, max_pixels: float = MAX_PIXELS) -> tuple[NDArray[np.uint8], Placement]:
    """Pixels uint8 (size, size, 3) of the image file `data`, its sides in their ratio, and where it lies there.

    Raises UnreadableImage with the reason.
    """
    image = open_image(data, max_pixels)
    width, height = upright_size(image)
    place = Placement(width=width, height=height, size=size)
    # JPEG decodes at 1/2, 1/4 or 1/8 directly where that is still at least the wanted size.
    image.draft(None, (max(place.sides), max(place.sides)))
    pixels = to_rgb(image)
    if pixels.size != place.sides:
        pixels = pixels.resize(place.sides, Image.Resampling.BICUBIC)
    square = Image.new("RGB", (size, size), GROUND)
    square.paste(pixels, place.corner)
    return np.asarray(square), place
