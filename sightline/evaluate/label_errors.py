"""Likely label errors among the images that a run has in its hands: those of training, validation and calibration.

Test images are not opened; `sightline data quality` asks about every image, and reads all of the files for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from sightline.data import manifest
from sightline.data.labels import label_errors
from sightline.data.labels.texture import texture
from sightline.data.loader import Images, load
from sightline.errors import DataError
from sightline.train.inference import predict

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.data.quality import Finding
    from sightline.data.reference import DataRef
    from sightline.project import Paths
    from sightline.train.result import Trained

ROLES = ("train", "val", "calib")
MOST = 2e8
"""Images × classes × features up to which a run asks: a minute or so."""
BATCH = 256


@dataclass(frozen=True, kw_only=True)
class Suspected:
    """What was found among the labels of a run."""

    finding: Finding | None
    """The labels that are probably wrong; None where none is."""
    rows: pd.DataFrame
    """The manifest's rows of the images that were asked about."""
    sentence: str


def find_label_errors(paths: Paths, data: DataRef, backbone: Trained | None) -> Suspected:
    """Look for labels that out-of-fold predictions contradict.

    The predictions are made from the features of the frozen `backbone`; without one, of colours and textures. Raises
    DataError where shards and manifest disagree.
    """
    parts = opened(paths, data)
    listed = pd.concat([part for _, part in parts], ignore_index=True)
    features = np.concatenate([_features(images, backbone, paths.root) for images, _ in parts if len(images)])
    if len(data.classes) * features.size > MOST:
        sentence = "Too many to ask in a run: `sightline data quality` does."
        return Suspected(finding=None, rows=listed, sentence=sentence)
    found = label_errors.find_label_errors(listed, features, data.task)
    sentence = found.sentence if found else f"None of {len(listed):,} labels looks wrong."
    return Suspected(finding=found, rows=listed, sentence=sentence)


def opened(paths: Paths, data: DataRef) -> list[tuple[Images, pd.DataFrame]]:
    """The images of each role but the test's, with their rows of the manifest.

    Raises DataError where shards and manifest disagree.
    """
    rows = manifest.read(paths.manifest(data.use))
    parts = [(load(paths.shards(data.use), role), _rows_of(rows, role)) for role in ROLES]
    if any(len(images) != len(listed) for images, listed in parts):
        raise DataError(f"the shards of {data.use} do not belong to its manifest; run `sightline run` or `dvc repro`")
    return parts


def _rows_of(rows: pd.DataFrame, role: str) -> pd.DataFrame:
    """The manifest's rows in the order of the shards of `role`."""
    return rows[(rows["role"] == role) & (rows["status"] == manifest.OK)].sort_values("shard", kind="stable")


def _features(images: Images, backbone: Trained | None, root: Path) -> NDArray[np.float64]:
    from PIL import Image

    if backbone is not None:
        seen: NDArray[np.float64] = predict(backbone.load(root).backbone, images.pixels).double().numpy()
        return seen
    pictures = (images.take(rows) for rows in torch.arange(len(images)).split(BATCH))
    described = [texture(Image.fromarray(one)) for part in pictures for one in part.permute(0, 2, 3, 1).numpy()]
    return np.stack(described).astype(np.float64)
