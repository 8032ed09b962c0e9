"""Arithmetic that gives the same bits on every machine: no libm, no BLAS, no sum whose order a processor chooses.

IEEE 754 fixes sums, products, quotients and roots of single numbers; sines do not belong to them. So they are read from
a table that is rounded far above the last digits, in which libraries differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

TURN = 4096
"""Steps of a full turn in the table."""

_COSINES = (np.rint(np.cos(np.arange(TURN) * (2 * np.pi / TURN)) * 2**15) / 2**15).astype(np.float32)


def cos(turns: Floats) -> Floats:
    """Cosine of angles in full turns, float32."""
    found: Floats = _COSINES[np.floor(turns * np.float32(TURN)).astype(np.int32) & (TURN - 1)]
    return found


def sin(turns: Floats) -> Floats:
    """Sine of angles in full turns, float32."""
    return cos(turns - np.float32(0.25))


def angle(x: Floats, y: Floats) -> Floats:
    """Direction of (x, y) in full turns, float32, rounded to the steps of the table."""
    # In double precision: in single, vector instructions differ by enough to fall on either side of a step.
    steps = np.rint(np.arctan2(y.astype(np.float64), x.astype(np.float64)) * (TURN / (2 * np.pi)))
    return np.asarray(steps / TURN, np.float32)


def uniform(rng: np.random.Generator, low: float, high: float, *shape: int) -> Floats:
    """Numbers between `low` and `high`, float32."""
    return (low + (high - low) * rng.random(shape)).astype(np.float32)


def spread(rng: np.random.Generator, width: float, *shape: int) -> Floats:
    """Numbers around 0 with the standard deviation `width`, nearly normal, float32: sums of four uniform ones."""
    total = rng.random(shape) + rng.random(shape) + rng.random(shape) + rng.random(shape)
    return ((total - 2) * (width * 3**0.5)).astype(np.float32)
