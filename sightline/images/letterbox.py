"""An image file in a square without being squeezed, and where it lies there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.images.placement import Placement
from sightline.images.reading import BOMB, WHITE, decode, open_image, upright_size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def letterbox(
    data: bytes, size: int, max_pixels: float = BOMB, white: int = WHITE
) -> tuple[NDArray[np.uint8], Placement]:
    """Pixels uint8 (size, size, 3) of the image file `data`, its sides in their ratio, and where it lies there.

    Raises UnreadableImage with the reason.
    """
    return decode(data, size, max_pixels, "letterbox", white), placed(data, size, max_pixels)


def placed(data: bytes, size: int, max_pixels: float = BOMB) -> Placement:
    """Where the image file `data` lies in such a square; its pixels are not decoded. Raises UnreadableImage."""
    width, height = upright_size(open_image(data, max_pixels))
    return Placement(width=width, height=height, size=size)
