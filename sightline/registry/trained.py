"""The manifest that a version was trained on, also when the data have moved on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.data import manifest
from sightline.data.versions import archive
from sightline.digests import dvc_digest

if TYPE_CHECKING:
    import pandas as pd

    from sightline.project import Paths

LEARNED_FROM = ("train", "val", "calib")
"""Roles whose images a version has seen in one way or another."""


def trained_on(paths: Paths, use: str, digest: str) -> pd.DataFrame:
    """The manifest of a data set with that DVC digest, columns `archive.NEEDED`: in the project, or from DVC."""
    path = paths.manifest(use)
    if path.is_file() and dvc_digest(path.parent) == digest:
        return manifest.read(path)[archive.NEEDED]
    return archive.rows(paths, archive.Version(use, digest, None))
