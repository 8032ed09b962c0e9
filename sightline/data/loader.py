"""From shards to tensors: training, validation and calibration images; test images open in `evaluate/release`.

A set that fits well into memory is read once and stays there. A larger one stays on the disk: its shards are mapped,
and a batch copies the rows that it needs. An image is found by its number alone, so training follows one random
permutation of all images whatever their number: a full shuffle, uniform over all orders (torch.randperm), with nothing
left of the order on the disk. Two neighbours of a shard meet in a batch of B of N images with probability
(B - 1) / (N - 1), as any two others do. The price is one random read per image, of what the image takes on the disk.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from sightline import stored
from sightline.digests import digest_of
from sightline.errors import Damaged, DataError
from sightline.heads.labels import CLASSIFY, LABELS
from sightline.images import jpeg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

INDEXED = ("size", "classes", "shards")
"""What an index of shards says; one from before it held digests, nothing else."""
MEMORY_SHARE = 0.25
"""Share of the machine's memory up to which the images of a role are held there."""


@dataclass(frozen=True)
class Images:
    """Images of one role: `pixels` uint8 (N, 3, H, W) and `labels` (N, …) as the task has them."""

    pixels: Tensor | Stored
    labels: Tensor
    classes: tuple[str, ...]
    groups: Tensor | None = None
    """A number int64 (N,) for the group of each image; None where each is a group of its own."""
    digest: str = ""
    """Of the files that hold them."""
    task: str = CLASSIFY
    """How the labels are meant: by which head they are learned."""

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: Tensor, side: int = 0) -> Tensor:
        """Images (B, 3, H, W) by their numbers (B,), channels last in memory; `side` as in `Stored.take`."""
        if isinstance(self.pixels, Stored):
            return self.pixels.take(rows, side)
        # Rows of the memory as it lies, colours innermost: picking along the permuted axes costs seventy times more.
        return self.pixels.permute(0, 2, 3, 1).index_select(0, rows).permute(0, 3, 1, 2)


class Stored(ABC):
    """Images that stay on the disk; what is asked for is read, and comes as the tensor that it would be in memory."""

    def __init__(self, counts: Sequence[int], size: int) -> None:
        """`counts` images of `size` pixels in each shard."""
        self._starts = torch.tensor([0, *counts]).cumsum(0)
        self.shape = (int(self._starts[-1]), 3, size, size)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: int | slice | list[int] | Tensor) -> Tensor:
        """As a tensor's."""
        wanted = torch.arange(len(self))[rows]
        return self.take(wanted) if wanted.ndim else self.take(wanted[None])[0]

    def split(self, count: int) -> Iterator[Tensor]:
        """All images in order, `count` at a time."""
        return (self.take(rows) for rows in torch.arange(len(self)).split(count))

    @abstractmethod
    def take(self, rows: Tensor, side: int = 0) -> Tensor:
        """Images (B, 3, H, W) uint8 by their numbers (B,), channels last in memory.

        JPEGs come at the smallest of the scales 1/8 … 8/8 that leaves at least `side` pixels; 0 = as stored.
        """

    def _shard(self, rows: Tensor) -> Tensor:
        """The shard of each row, by its number."""
        return torch.searchsorted(self._starts, rows.contiguous(), right=True) - 1


class Mapped(Stored):
    """Shards of pixels, mapped: no image is in memory but those of a batch, and what the system keeps of the files."""

    def __init__(self, paths: Sequence[Path], size: int) -> None:
        """Map the files."""
        self._parts = [_mapped(path).numpy() for path in paths]
        super().__init__([len(part) for part in self._parts], size)

    def take(self, rows: Tensor, side: int = 0) -> Tensor:  # noqa: ARG002 — pixels have but one scale
        """Images (B, 3, S, S) by their numbers."""
        pixels = np.empty((len(rows), *self.shape[2:], 3), dtype=np.uint8)
        shard = self._shard(rows)
        for number in shard.unique().tolist():
            where = (shard == number).nonzero().squeeze(1)
            local = rows[where] - self._starts[number]
            # NumPy copies whole rows; torch goes through them byte by byte, nine times slower.
            pixels[where.numpy()] = self._parts[number].take(local.numpy(), axis=0)
        return torch.from_numpy(pixels).permute(0, 3, 1, 2)


class Compressed(Stored):
    """Shards of JPEG files behind one another: file i is bytes[offsets[i] : offsets[i + 1]]."""

    def __init__(self, paths: Sequence[Path], size: int) -> None:
        """Map the files, and read where the images in them begin."""
        self._content = [_mapped(path).numpy() for path in paths]
        self._offsets = [np.load(jpeg.offsets_of(path)) for path in paths]
        super().__init__([len(offsets) - 1 for offsets in self._offsets], size)

    def take(self, rows: Tensor, side: int = 0) -> Tensor:
        """Images (B, 3, S, S) by their numbers, decoded by as many threads as torch computes with."""
        shard = self._shard(rows)
        local = (rows - self._starts[shard]).tolist()
        files = [self._file(number, row) for number, row in zip(shard.tolist(), local, strict=True)]
        pixels = jpeg.decode(files, self.shape[2], side, torch.get_num_threads())
        return torch.from_numpy(pixels).permute(0, 3, 1, 2)

    def _file(self, shard: int, row: int) -> NDArray[np.uint8]:
        start, end = self._offsets[shard][row : row + 2]
        return self._content[shard][start:end]


def load(folder: Path, role: str) -> Images:
    """The images of `role` in the shard folder.

    Raises PermissionError for the test role: whoever trains or tunes has no business there. Raises DataError where a
    file of the role is missing or was changed.
    """
    if role == "test":
        raise PermissionError(f"{folder}: the test images are opened by evaluation alone (sightline.evaluate.release)")
    return load_any(folder, role)


def load_any(folder: Path, role: str) -> Images:
    """`load` for every role; `evaluate.release` is its only other caller."""
    index, names, digest = _verified(folder, role)
    size = index["size"]
    paths = [folder / f"{name}.npy" for name in names]
    task = index.get("task", CLASSIFY)
    labels = _numbers(folder, names, "labels", LABELS[task].stacked)
    # Shards that were archived before groups were kept have none.
    grouped = all((folder / f"{name}.groups.npy").is_file() for name in names)
    groups = _numbers(folder, names, "groups", np.concatenate) if grouped else None
    return Images(_pixels(paths, size, len(labels)), labels, tuple(index["classes"]), groups, digest, task)


def _verified(folder: Path, role: str) -> tuple[dict[str, Any], list[str], str]:
    """The index, the shards of `role`, and the digest of their files, which are as they were written."""
    try:
        index = stored.unseal(folder / "index.json", INDEXED, INDEXED)
        names = [shard["name"] for shard in index["shards"] if shard["role"] == role]
        files = index.get(stored.FILES)
        if files is None:
            # Out of DVC's store, from before there were digests: DVC has checked them.
            there = [path.name for path in folder.glob(f"{role}-*.npy") if path.name.partition(".")[0] in names]
            return index, names, digest_of(stored.digests(folder, there))
        files = {name: digest for name, digest in files.items() if name.partition(".")[0] in names}
        stored.check(folder, files)
    except Damaged as error:
        raise DataError(f"{error}; run `sightline run` or `dvc repro`, which make it anew") from None
    return index, names, digest_of(files)


def _numbers(folder: Path, names: list[str], what: str, stacked: Callable[[list[Any]], Any]) -> Tensor:
    """What is known of each image of the shards `names`, (N, …)."""
    parts = [np.load(folder / f"{name}.{what}.npy") for name in names]
    return torch.from_numpy(stacked(parts) if parts else np.empty(0, dtype=np.int64))


def _pixels(paths: list[Path], size: int, total: int) -> Tensor | Stored:
    # JPEGs are never unpacked into memory: what is learned from them must not depend on how much of it there is.
    if paths and jpeg.offsets_of(paths[0]).is_file():
        return Compressed(paths, size)
    if total * size * size * 3 > MEMORY_SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"):
        return Mapped(paths, size)
    pixels = np.empty((total, size, size, 3), dtype=np.uint8)
    start = 0
    for path in paths:
        part = np.load(path, mmap_mode="r")
        pixels[start : start + len(part)] = part
        start += len(part)
    # NCHW by shape, channels last in memory: what the convolutions want.
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def _mapped(path: Path) -> Tensor:
    """The array in a .npy file of bytes, mapped by torch: it holds no file open, and large sets have many shards."""
    array = np.load(path, mmap_mode="r")
    # Private: the pages are the file's as long as nobody writes to them.
    content = torch.from_file(str(path), shared=False, size=array.offset + array.size, dtype=torch.uint8)
    return content[array.offset :].view(array.shape)
