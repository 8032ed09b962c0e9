"""Whether the serving form answers as the training form does, on a few images that travel with the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.data import manifest
from sightline.data.files.facts import read_bytes
from sightline.data.loader import load

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray
    from torch import Tensor

    from sightline.models.predictor import Predictor
    from sightline.project import Paths

GOLDEN = 8
"""Images whose answers travel with the model, to check it wherever it is loaded."""


def golden_files(paths: Paths) -> list[bytes]:
    """The golden images, a few of role val, as files."""
    return [read_bytes(paths.raw("target"), path) for path in _golden(_rows(paths))["path"]]


def golden_pixels(paths: Paths) -> Tensor:
    """The same images as training sees them: uint8 (GOLDEN, 3, S, S)."""
    rows = _rows(paths)
    return load(paths.shards("target"), "val").pixels[_golden(rows).index.tolist()]


def difference(served: Predictor, files: list[bytes], trained: NDArray[Any]) -> float:
    """Largest difference of a probability between the answers to `files` and the `trained` logits (N, C) for them."""
    return served.task.off(served.probabilities(files), served.task.probabilities(trained, served.card))


def _rows(paths: Paths) -> pd.DataFrame:
    """Usable images of role val, in the order of the shards, which is that of the manifest within each."""
    rows = manifest.read(paths.manifest("target"))
    rows = rows[(rows["role"] == "val") & (rows["status"] == manifest.OK)]
    return rows.sort_values("shard", kind="stable").reset_index(drop=True)


def _golden(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values("sha256").head(GOLDEN)
