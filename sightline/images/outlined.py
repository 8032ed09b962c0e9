"""Boxes drawn on a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

THICK = 250
"""Pixels of the longer side for each pixel of a line, beside the first."""


class Outline(NamedTuple):
    """A box and how it is drawn."""

    edges: tuple[float, ...]
    """Left, top, right and bottom, pixels of the picture."""
    colour: tuple[int, int, int]
    text: str = ""
    """Above its left upper corner."""


def outline(picture: Image.Image, boxes: Iterable[Outline], font: ImageFont.FreeTypeFont | None = None) -> None:
    """Draw the boxes on an RGB picture, the first ones lowest."""
    pen, width = ImageDraw.Draw(picture), 1 + max(picture.size) // THICK
    for box in boxes:
        left, top, right, bottom = (round(edge) for edge in box.edges)
        pen.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), outline=box.colour, width=width)
        if box.text and font is not None:
            where = pen.textbbox((left, top), box.text, font=font, anchor="lb")
            # Inside of the picture, even where the box begins above it.
            lift = max(0, -round(where[1]))
            aside = min(0, picture.width - round(where[2]))
            place = (left + max(aside, -left), top + lift)
            pen.rectangle(pen.textbbox(place, box.text, font=font, anchor="lb"), fill=box.colour)
            pen.text(place, box.text, fill="white", font=font, anchor="lb")


def outlined(pixels: NDArray[np.uint8], boxes: Iterable[Outline]) -> NDArray[np.uint8]:
    """A copy of the image (H, W, 3) with the boxes drawn on it."""
    picture = Image.fromarray(pixels)
    outline(picture, boxes)
    return np.asarray(picture)
