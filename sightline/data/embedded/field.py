"""What the formulas draw on: the grid of an image's pixels, fields of values before they are painted, their layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from sightline.data.embedded.exact import cos, sin, uniform

if TYPE_CHECKING:
    from sightline.data.embedded.exact import Floats

SIDE = 64
"""Height and width of every image, pixels."""
COLUMN, ROW = (one.astype(np.float32) for one in np.meshgrid(*[(np.arange(SIDE) + 0.5) * (2 / SIDE) - 1] * 2))
"""Coordinates of the pixels' centres, (SIDE, SIDE) of -1 … 1."""


class Field(NamedTuple):
    """Some images before they are painted, both (images, SIDE, SIDE) of 0 … 1."""

    value: Floats
    """The place of each pixel on the class's scale of colours."""
    cover: Floats
    """How far it covers the background."""


class Formula(Protocol):
    """The law of a class."""

    def __call__(self, rng: np.random.Generator, count: int) -> Field:
        """The fields of `count` images."""
        ...


def view(rng: np.random.Generator, count: int, turn: float, zoom: float, shift: float) -> tuple[Floats, Floats]:
    """Coordinates of the pixels, -1 … 1, turned, zoomed and shifted for each image."""
    turned = uniform(rng, -turn, turn, count, 1, 1)
    size = uniform(rng, 1 / zoom, zoom, count, 1, 1)
    c, s = cos(turned) * size, sin(turned) * size
    x = COLUMN - uniform(rng, -shift, shift, count, 1, 1)
    y = ROW - uniform(rng, -shift, shift, count, 1, 1)
    return x * c - y * s, x * s + y * c


def added(terms: Floats, weights: Floats) -> Floats:
    """Sum of `terms` (terms, …) with `weights` (terms, …), in their order."""
    total: Floats = terms[0] * weights[0]
    for term, weight in zip(terms[1:], weights[1:], strict=True):
        total = total + term * weight
    return total


def nothing(count: int) -> Field:
    """Background alone."""
    empty = np.zeros((count, SIDE, SIDE), np.float32)
    return Field(empty, empty)


def over(below: Field, value: Floats, cover: Floats) -> Field:
    """`below` with a layer on it."""
    return Field(below.value * (1 - cover) + value * cover, np.maximum(below.cover, cover))
