"""The quality of a data set as it was ingested last: every finding, likely label errors among them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.data import manifest
from sightline.data.files.facts import read_bytes
from sightline.data.quality import findings
from sightline.heads.labels import LABELS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pandas as pd

    from sightline.data.quality import Finding
    from sightline.project import Paths

MOST = 50_000
"""Labels of larger sets are not asked about here: out-of-fold predictions would take hours."""


def assess(paths: Paths, use: str, rows: pd.DataFrame, progress: Callable[[list[str]], Iterable[str]]) -> list[Finding]:
    """All findings about the data set, likely label errors among them.

    `rows` is its manifest; `progress` wraps the paths of the images whose features are computed, to show how far it is.
    """
    found = findings(rows, paths.params.validate, paths.params.task_of(use))
    mislabelled = _label_errors(paths, use, rows, progress)
    found += [mislabelled] if mislabelled else []
    return found


def _label_errors(
    paths: Paths, use: str, rows: pd.DataFrame, progress: Callable[[list[str]], Iterable[str]]
) -> Finding | None:
    import numpy as np

    from sightline.data.labels.label_errors import find_label_errors
    from sightline.data.labels.texture import texture
    from sightline.images.reading import open_image, to_rgb

    if LABELS[paths.params.task_of(use)].are_boxes:
        return None
    usable = rows[rows["status"].isin([manifest.OK, manifest.HELD_BACK]) & rows["label"].notna()].reset_index(drop=True)
    if not 0 < len(usable) <= MOST:
        return None
    folder = paths.raw(use)
    paths_seen = progress(usable["path"].tolist())
    features = [texture(to_rgb(open_image(read_bytes(folder, path)))) for path in paths_seen]
    return find_label_errors(usable, np.stack(features).astype(np.float64), paths.params.task_of(use))
