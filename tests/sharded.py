"""Class folders as tar shards in the convention of WebDataset."""

from __future__ import annotations

import io
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def shards(images: Path, folder: Path, *names: str) -> Path:
    """The images of the class folders in `images`, dealt out to a tar file of each name in the new `folder`."""
    folder.mkdir()
    files = sorted(images.rglob("*.png"))
    for start, name in enumerate(names):
        with tarfile.open(folder / f"{name}.tar", "w") as tar:
            for number in range(start, len(files), len(names)):
                tar.add(files[number], f"{number:06d}.png")
                told = files[number].parent.name.encode()
                label = tarfile.TarInfo(f"{number:06d}.cls")
                label.size = len(told)
                tar.addfile(label, io.BytesIO(told))
    return folder
