"""The manifest: one row per image file of a data set, in the order in which the files were first seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sightline.data.files.statistics import COLUMNS as STATISTICS
from sightline.errors import DataError
from sightline.files import replacing
from sightline.heads.labels import CLASSIFY, LABELS

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

COLUMNS: dict[str, str] = {
    "path": "string",  # relative to the raw folder, with forward slashes
    "sha256": "string",  # of the file's bytes
    "label": "string",  # class name, or the text of a set of them (heads.labels); null where the file's is missing
    "group": "string",  # images of one group stay on one side of every split
    "split": "string",  # train, val or test where the origin gives one, else null
    "role": "string",  # train, val, calib or test; in quarantine the one that it had before, or null
    "shard": "Int64",  # number of the shard within the role, given once
    "status": "string",  # ok · held_back (sound, and left out on purpose) · quarantined
    "reason": "string",  # why it is not ok, in words; else null
    "format": "string",  # by content: JPEG, PNG …
    "mode": "string",  # Pillow's mode as stored
    "width": "Int64",  # pixels, as stored
    "height": "Int64",
    "bytes": "Int64",
    "alike": "string",  # same for near duplicates: the smallest digest; behind CROWD for what is no copy; else null
    **STATISTICS,
}
"""Column → pandas type."""

OK, HELD_BACK, QUARANTINED = "ok", "held_back", "quarantined"
NO_LABEL = "no label"
"""How the reason of a file begins that is in quarantine for want of a label."""
CROWD = "crowd:"
"""How `alike` begins for images that are as alike as copies and are none, such as parts in one jig."""
LEFT_OUT = "left out of"
"""How the reason of an image begins that is held back because an image of the test or of validation shows the same."""


def write(rows: pd.DataFrame, path: Path) -> None:
    """Write `rows` as parquet: the same rows give the same bytes, and a crash leaves the old file."""
    with replacing(path) as scratch:
        rows[list(COLUMNS)].astype(COLUMNS).to_parquet(scratch, index=False, engine="pyarrow", compression="zstd")


def read(path: Path) -> pd.DataFrame:
    """The manifest at `path`.

    Raises DataError where it is missing or lacks a column.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no manifest; run `sightline run`, or `dvc repro`, to make it")
    import pandas as pd

    try:
        rows = pd.read_parquet(path, engine="pyarrow")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged ({error}): `sightline run` brings it back from DVC's store") from None
    missing = [name for name in COLUMNS if name not in rows]
    if missing:
        raise DataError(
            f"{path}: the manifest lacks {', '.join(missing)}; delete it and run `dvc repro` to make it anew"
        )
    return rows[list(COLUMNS)].astype(COLUMNS)


def places(rows: pd.DataFrame, previous: pd.DataFrame) -> NDArray[np.intp]:
    """Position in `previous` of each of `rows`, the same file with the same bytes; -1 where it is not there."""
    import pandas as pd

    found = pd.Index(previous["path"]).get_indexer(pd.Index(rows["path"]))
    same = previous["sha256"].to_numpy()[found] == rows["sha256"].to_numpy()
    return np.where(same, found, -1)


def groups(rows: pd.DataFrame) -> NDArray[np.int64]:
    """(N,) which of the rows belong together, by number: one group, near copies of one another, or the same file."""
    names = rows["group"].fillna(pictures(rows))
    numbers: NDArray[np.int64] = np.unique(names.to_numpy(dtype=str), return_inverse=True)[1]
    return numbers


def pictures(rows: pd.DataFrame) -> pd.Series:
    """What each of the rows shows, by name: the same for copies, exact or near."""
    return rows["alike"].mask(rows["alike"].str.startswith(CROWD).fillna(value=False)).fillna(rows["sha256"])


def classes(rows: pd.DataFrame, task: str = CLASSIFY) -> list[str]:
    """Class names of the usable images, sorted: the position is the class index everywhere."""
    return sorted(LABELS[task].each(rows.loc[rows["status"] == OK, "label"]).unique().tolist())
