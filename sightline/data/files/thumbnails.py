"""The thumbnails of all files that were read, one after the other in one file that is mapped.

They are many times as large as all else that is known of a file, and only few are looked at twice: in memory they would
be most of what ingesting a million images takes. A file's facts hold the number of its thumbnail.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from sightline import stored
from sightline.data.files.statistics import SIDE
from sightline.errors import Damaged
from sightline.files import replacing, write_atomically

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

SIZE = SIDE**2
"""Bytes of each."""
SPARE = 4096
"""So many that nothing refers to are kept; more than that and than those in use are thrown away."""


def beside(cache: Path) -> Path:
    """Where the thumbnails of the files lie whose facts are kept at `cache`."""
    return cache.with_suffix(".thumbnails")


def count(path: Path) -> int:
    """How many there are."""
    return path.stat().st_size // SIZE if path.is_file() else 0


def sign(path: Path) -> None:
    """Note how many there are and what they are."""
    write_atomically(_signed(path), stored.seal({"count": count(path), "first": _digest(path, count(path))}))


def is_whole(path: Path) -> bool:
    """Whether those that were signed are there unchanged, whatever a killed run added."""
    try:
        said = stored.unseal(_signed(path))
        return bool(count(path) >= said["count"] and _digest(path, said["count"]) == said["first"])
    except (Damaged, KeyError):
        return False


def _signed(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _digest(path: Path, number: int) -> str:
    """Of the first thumbnails."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for start in range(0, number, SPARE):
            digest.update(file.read(SIZE * min(SPARE, number - start)))
    return digest.hexdigest()


def mapped(path: Path) -> NDArray[np.uint8]:
    """All of them by number, (N, SIDE, SIDE)."""
    if not count(path):
        return np.zeros((0, SIDE, SIDE), dtype=np.uint8)
    return np.memmap(path, np.uint8, "r", shape=(count(path), SIDE, SIDE))


@contextmanager
def adding(path: Path) -> Iterator[Callable[[bytes], int]]:
    """Give what appends a thumbnail and says its number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        number = count(path)
        # A killed run may have left a part of one.
        file.truncate(number * SIZE)

        def add(thumbnail: bytes) -> int:
            nonlocal number
            file.write(thumbnail)
            number += 1
            return number - 1

        yield add


def is_wasteful(path: Path, numbers: pd.Series) -> bool:
    """Whether most of them are of files that have left or changed; `numbers` are those in use."""
    return count(path) > 2 * len(numbers) + SPARE


def squeeze(path: Path, numbers: pd.Series) -> pd.Series:
    """Keep those with `numbers`, and say their new ones."""
    held, used = mapped(path), numbers.dropna()
    with replacing(path) as scratch, scratch.open("wb") as file:
        for number in used:
            file.write(held[number].tobytes())
    renamed = numbers.copy()
    renamed[used.index] = np.arange(len(used))
    return renamed
