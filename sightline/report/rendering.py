"""What the pages share: the templates of this package, and how numbers and pictures are written in them."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

from sightline.heads.labels import shown
from sightline.heads.shares import percent
from sightline.words import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jinja2 import Environment

SMALL_SIDE = 48
"""Images up to this side, in pixels, are enlarged pixel by pixel instead of being blurred."""
SMALL_BYTES = 2048
"""Images up to this size go into the page as they are; larger ones become thumbnails, to keep the page small."""


def templates() -> Environment:
    """The templates of this package."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    # Names and paths come from users' folders: everything is escaped, whatever the template's suffix.
    environment = Environment(
        loader=PackageLoader("sightline.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "duration": _duration,
        "picture": _picture,
        "label": shown,
        "counted": counted,
    }
    return environment


def _picture(png: bytes, side: int) -> dict[str, Any]:
    """`src` of an image no larger than `side` pixels, and whether it is `small` (shown pixel by pixel)."""
    from PIL import Image

    with Image.open(BytesIO(png)) as image:
        small = max(image.size) <= SMALL_SIDE
        if len(png) <= SMALL_BYTES:
            return {"src": data_address(png, "png"), "small": small}
        image.thumbnail((side, side))
        buffer = BytesIO()
        image.save(buffer, "WEBP", quality=80)
    return {"src": data_address(buffer.getvalue(), "webp"), "small": small}


@dataclass(frozen=True)
class Bars:
    """A scale for bars of shares that are much alike: it starts where differences show."""

    start: float

    def width(self, share: float) -> str:
        """Of the bar, in per cent of the longest there can be."""
        return f"{100 * max(0.0, share - self.start) / (1 - self.start):.1f}"

    @property
    def words(self) -> str:
        """Where it starts, for the head of the column; empty where that is nothing."""
        return f"from {100 * self.start:.0f}\u00a0%" if self.start else ""


def bar_scale(shares: Sequence[float]) -> Bars:
    """From the multiple of ten per cent below all `shares`, with room for the shortest bar."""
    return Bars(max(0, math.ceil(10 * min(shares, default=0) - 1.5)) / 10)


def data_address(data: bytes, kind: str) -> str:
    """An image file of type `kind` as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _duration(seconds: float) -> str:
    if round(seconds, 1) < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{seconds:.1f}\u00a0s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}\u00a0h {minutes:02}\u00a0min" if hours else f"{minutes}\u00a0min {rest:02}\u00a0s"
