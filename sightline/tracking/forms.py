"""Graphs by which versions answer, in the project: each under the digest that the ledger names."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from sightline.digests import file_digest
from sightline.files import replacing
from sightline.names import plain

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


def held(paths: Paths, digest: str) -> Path | None:
    """The graph with that SHA-256; None where the project has none, or one that was damaged."""
    file = _place(paths, digest)
    return file if file.is_file() and not file.is_symlink() and file_digest(file) == digest else None


def keep(paths: Paths, graph: Path) -> str:
    """Put the file `graph` into the project; its digest."""
    digest = file_digest(graph)
    if held(paths, digest) is None:
        with replacing(_place(paths, digest)) as scratch:
            shutil.copyfile(graph, scratch)
    return digest


def _place(paths: Paths, digest: str) -> Path:
    return paths.mlflow / "forms" / f"{plain(digest)}.onnx"
