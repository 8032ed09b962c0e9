"""Labels that people gave to images, keyed by content: they count more than what the raw folder says.

The table `data/labels/USE.csv` is kept in git; nothing is moved or renamed in any folder of images.
"""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from sightline.data.annotations.described import Box
from sightline.data.annotations.table import BOXES
from sightline.data.manifest import NO_LABEL, OK, QUARANTINED
from sightline.data.versions.dvc import put_back
from sightline.errors import DataError
from sightline.heads import located
from sightline.words import from_cell, to_cell

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd

CAPTURED = "captured"
"""The folder of captured images that joined a set: each is named by its digest, and its label stands in the table."""
LONGEST = 1 << 24
"""Characters of a label: thousands of boxes on an image are more than the `csv` of Python reads by itself."""


@dataclass(frozen=True, kw_only=True)
class Label:
    """The label of one picture, and where it came from."""

    sha256: str
    label: str
    by: str
    """User name of whoever imported it."""
    at: str
    """UTC, ISO 8601."""


def read(path: Path) -> dict[str, Label]:
    """The table by digest; empty where there is none.

    Raises DataError where it is not such a table.
    """
    if not path.is_file():
        return {}
    csv.field_size_limit(LONGEST)
    with path.open(encoding="utf-8", newline="") as handle:
        rows = csv.DictReader(handle, strict=True)
        try:
            labels = [Label(**{name: from_cell(cell) for name, cell in row.items()}) for row in rows]
        except (TypeError, AttributeError, csv.Error) as error:
            # It lies in data/labels of the project.
            raise DataError(f"{path} is damaged ({error}): {put_back(path.parents[2], path)}") from None
    return {one.sha256: one for one in labels}


def text(labels: Iterable[Label]) -> str:
    """The table as CSV, sorted by digest: the same labels give the same text."""
    out = io.StringIO()
    writer = csv.DictWriter(out, [field.name for field in fields(Label)], lineterminator="\n")
    writer.writeheader()
    for one in sorted(labels, key=lambda one: one.sha256):
        writer.writerow({name: to_cell(value) for name, value in asdict(one).items()})
    return out.getvalue()


def apply(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Lay the table over freshly read `rows`, before groups and roles are made.

    An image that was in quarantine only for want of a label that can be used becomes usable. A captured one that the
    table does not have, as on another branch, has no label: its folder is no class.
    """
    given = {digest: one.label for digest, one in read(path).items()}
    captured = rows[rows["label"].eq(CAPTURED).fillna(value=False).astype(bool)]
    own = captured["path"].str.extract(r"([^/.]*)\.[^/]*$", expand=False) == captured["sha256"]
    stray = captured.index[own & ~captured["sha256"].isin(given)]
    if not given and stray.empty:
        return rows
    rows = rows.copy()
    rows.loc[stray, "label"], rows.loc[stray, "status"] = None, QUARANTINED
    rows.loc[stray, "reason"] = f"{NO_LABEL}: it was captured, and data/labels/{path.name} does not say what it shows"
    people = rows["sha256"].map(given).astype("string")
    labelled = people.notna() & (rows["status"] == QUARANTINED) & rows["label"].isna()
    rows["label"] = people.fillna(rows["label"])
    # A file that was never decoded has no format: it stays out, for another reason.
    sound = labelled & rows["format"].notna()
    rows.loc[sound, "status"], rows.loc[sound, "reason"] = OK, None
    rows.loc[labelled & ~sound, "reason"] = "labelled, but not readable as an image"
    return rows


def drawn(boxes: pd.DataFrame, rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The table of `boxes` (`annotations.table.BOXES`), with what people gave in place of what the folder says."""
    given = {digest: one.label for digest, one in read(path).items()}
    labels = rows.set_index("path")["sha256"].map(given).dropna().sort_index()
    fresh = [
        {"path": name, "status": OK, "reason": None, **asdict(Box.of(box))}
        for name, label in labels.items()
        for box in located.read(label)[2]
    ]
    if labels.empty:
        return boxes
    import pandas as pd

    added = pd.DataFrame(fresh, columns=list(BOXES)).astype(BOXES)
    return pd.concat([boxes[~boxes["path"].isin(labels.index)], added], ignore_index=True)
