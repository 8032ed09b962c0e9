"""The eight ways in which a square can lie: turned by quarters, mirrored, or both.

A turn is a number of three bits: 4 exchanges rows and columns, then 2 reverses the rows, then 1 the columns; 0 leaves
the picture as it is.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.data.files.statistics import FREQUENCIES, by_frequency

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

TURNS = 8
COLUMNS, ROWS, EXCHANGED = 1, 2, 4
"""The bits of a turn."""
UNDONE = np.array([0, 1, 2, 3, 4, 6, 5, 7])
"""The turn that brings a picture back from each of them."""


def turned(images: NDArray[Any], turn: int) -> NDArray[Any]:
    """Images (…, S, S), all turned in one way; a view, not a copy."""
    if turn & EXCHANGED:
        images = images.swapaxes(-1, -2)
    rows, columns = (slice(None, None, -1 if turn & bit else None) for bit in (ROWS, COLUMNS))
    return images[..., rows, columns]


def turned_each(images: NDArray[Any], turns: Ints) -> NDArray[Any]:
    """Images (M, S, S), each turned in its own way."""
    if not turns.any():
        return images
    found = np.empty_like(images)
    for turn in np.unique(turns).tolist():
        found[turns == turn] = turned(images[turns == turn], turn)
    return found


def turned_hashes(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The hashes (TURNS, N) that images with `hashes` (N,) have in every turn."""
    octets = np.ascontiguousarray(hashes, dtype="<u8").view(np.uint8).reshape(-1, 8)
    bits = np.unpackbits(octets, axis=1, bitorder="little")
    exchange, reversed_rows, reversed_columns = _signs()
    found = np.empty((TURNS, len(hashes)), dtype=np.uint64)
    for turn in range(TURNS):
        seen = bits[:, exchange] if turn & EXCHANGED else bits
        # Reversing a line changes the sign of its odd cosines.
        flip = reversed_rows * bool(turn & ROWS) ^ reversed_columns * bool(turn & COLUMNS)
        packed = np.packbits(seen ^ flip, axis=1, bitorder="little")
        found[turn] = np.ascontiguousarray(packed).view("<u8")[:, 0]
    return found


@cache
def _signs() -> tuple[NDArray[np.intp], NDArray[np.uint8], NDArray[np.uint8]]:
    """Where each bit goes when rows and columns change places, and which bits change when one of them is reversed."""
    down, across = np.divmod(by_frequency(), FREQUENCIES)
    place = {(int(one), int(other)): bit for bit, (one, other) in enumerate(zip(down, across, strict=True))}
    exchange = [place[int(other), int(one)] for one, other in zip(down, across, strict=True)]
    # The 64th bit is no frequency.
    return (
        np.array([*exchange, len(exchange)]),
        np.append(down % 2, 0).astype(np.uint8),
        np.append(across % 2, 0).astype(np.uint8),
    )
