"""Random values for the images of a batch, the same in whatever way processes divide it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Draws:
    """Draws for each image of a batch, and gives those of the images that are here.

    A process that changes a part of the batch draws for all of it: so an image gets the same values in any process.
    """

    generator: torch.Generator
    """Of the CPU; decides everything."""
    count: int
    """Images of the whole batch."""
    rows: Tensor | None = None
    """Places (n,) in the batch of the images that are here; None = all of them."""

    def uniform(self, low: float, high: float) -> Tensor:
        """A number from `low` to `high` for each image, (n,)."""
        return self._mine(torch.empty(self.count).uniform_(low, high, generator=self.generator))

    def shares(self, *shape: int) -> Tensor:
        """Numbers from 0 to 1 for each image, (*shape, n)."""
        return self._mine(torch.rand(*shape, self.count, generator=self.generator))

    def whole(self, end: int, *shape: int) -> Tensor:
        """Whole numbers from 0 to `end` - 1 for each image, (*shape, n)."""
        return self._mine(torch.randint(0, end, (*shape, self.count), generator=self.generator))

    def _mine(self, values: Tensor) -> Tensor:
        return values if self.rows is None else values[..., self.rows]
