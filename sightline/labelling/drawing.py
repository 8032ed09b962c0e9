"""An image on its way to a person who draws boxes on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.data.annotations.described import Box


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """An image on which boxes are to be drawn."""

    name: str
    """Of its file, by which an import knows it."""
    picture: bytes
    width: int
    height: int
    """Of the upright image, pixels."""
    about: str
    """What a person is told of it."""
    boxes: tuple[Box, ...] = ()
    """That are there to begin with."""
