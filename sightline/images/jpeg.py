"""Training images as JPEGs: encoded once, decoded again in each pass, by libjpeg-turbo.

The chroma is stored at half the side, as cameras do. Decoding uses the fast integer transform: off by a grey level or
two, and a twentieth faster.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray


def offsets_of(shard: Path) -> Path:
    """Where it is written at which byte of `shard` each of its files begins."""
    return shard.with_suffix(".offsets.npy")


def encode(pixels: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """The bytes of a JPEG of the image (S, S, 3)."""
    from simplejpeg import encode_jpeg

    return np.frombuffer(encode_jpeg(np.ascontiguousarray(pixels), quality, colorsubsampling="420"), np.uint8)


def decode(files: Sequence[NDArray[np.uint8]], size: int, side: int, threads: int) -> NDArray[np.uint8]:
    """Pixels (N, S, S, 3) of the JPEGs of images of `size` pixels, by so many threads.

    All come at the smallest of the scales 1/8 … 8/8 that leaves at least `side` pixels; 0 = as stored.
    """
    from simplejpeg import decode_jpeg, decode_jpeg_header

    height = decode_jpeg_header(files[0], side, side)[0] if files and side else size
    pixels = np.empty((len(files), height, height, 3), dtype=np.uint8)

    def work(first: int) -> None:
        for row in range(first, len(files), threads):
            decode_jpeg(files[row], fastdct=True, min_height=side, min_width=side, buffer=pixels[row])

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    return pixels
