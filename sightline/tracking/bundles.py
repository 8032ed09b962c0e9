"""Bundles in the project, each under its own digest: MLflow is asked for one that is not there alone."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from sightline.digests import tree_digest
from sightline.files import replacing
from sightline.models.sealed import whole
from sightline.names import plain

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


def held(paths: Paths, digest: str) -> Path | None:
    """The bundle with that `tree_digest`; None where the project has none, or one that was damaged."""
    folder = _place(paths, digest)
    return folder if whole(folder) and tree_digest(folder) == digest else None


def keep(paths: Paths, bundle: Path) -> Path:
    """The project's own copy of the folder `bundle`; a damaged one is made anew."""
    digest = tree_digest(bundle)
    if held(paths, digest) is None:
        with replacing(_place(paths, digest)) as scratch:
            shutil.copytree(bundle, scratch)
    return _place(paths, digest)


def _place(paths: Paths, digest: str) -> Path:
    return paths.mlflow / "bundles" / plain(digest)
