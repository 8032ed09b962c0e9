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
from sightline.data.labels import confident_learning
from sightline.data.labels.texture import texture
from sightline.data.loader import Images, load
from sightline.digests import file_digest
from sightline.errors import DataError
from sightline.report.quality import write_page
from sightline.train.inference import predict

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from sightline.data.reference import DataRef
    from sightline.project import Paths
    from sightline.train.result import Trained

ROLES = ("train", "val", "calib")
MOST = 2e8
"""Images × classes × features up to which a run asks: a minute or so."""
PAGE = "labels.html"
BATCH = 256


@dataclass(frozen=True, kw_only=True)
class Doubted:
    """What was found: the page that shows it, relative to the project, and the sentence."""

    path: str
    digest: str
    """SHA-256 of the page."""
    labels: int
    """Labels that are probably wrong."""
    sentence: str

    def is_whole(self, root: Path) -> bool:
        """Whether the page is there and unchanged."""
        page = root / self.path
        return page.is_file() and file_digest(page) == self.digest


def doubt(paths: Paths, data: DataRef, backbone: Trained | None, folder: Path) -> Doubted:
    """Look for labels that out-of-fold predictions contradict, and show them on a page in `folder`.

    The predictions are made from the features of the frozen `backbone`; without one, of colours and textures. Raises
    DataError where shards and manifest disagree.
    """
    rows = manifest.read(paths.manifest(data.use))
    parts = [(load(paths.shards(data.use), role), _rows_of(rows, role)) for role in ROLES]
    if any(len(images) != len(listed) for images, listed in parts):
        raise DataError(f"the shards of {data.use} do not belong to its manifest; run `sightline run` or `dvc repro`")
    listed = pd.concat([part for _, part in parts], ignore_index=True)
    features = np.concatenate([_features(images, backbone, paths.root) for images, _ in parts if len(images)])
    if len(data.classes) * features.size > MOST:
        found, sentence = None, "Too many to ask in a run: `sightline data quality` does."
    else:
        labels, groups = listed["label"], listed["group"].fillna(listed["sha256"])
        suspects = confident_learning.suspects(features, labels.to_numpy(dtype=object), groups.to_numpy(dtype=object))
        found = confident_learning.finding(listed, suspects)
        sentence = found.sentence if found else f"None of {len(listed):,} labels looks wrong."
    name = f"{paths.params.project.name}-{data.use}"
    page = write_page([found] if found else [], listed, paths.raw(data.use), folder / PAGE, f"the labels of {name}")
    return Doubted(
        path=page.relative_to(paths.root).as_posix(),
        digest=file_digest(page),
        labels=found.cases if found else 0,
        sentence=sentence,
    )


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
