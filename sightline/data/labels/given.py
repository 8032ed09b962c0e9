"""Labels that people gave to images, keyed by content: they count more than what the raw folder says.

The table `data/labels/USE.csv` is kept in git; nothing is moved or renamed in any folder of images.
"""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from sightline.data.manifest import NO_LABEL, OK, QUARANTINED
from sightline.errors import DataError
from sightline.words import from_cell, to_cell

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pandas as pd


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
    with path.open(encoding="utf-8", newline="") as handle:
        rows = csv.DictReader(handle, strict=True)
        try:
            labels = [Label(**{name: from_cell(cell) for name, cell in row.items()}) for row in rows]
        except (TypeError, AttributeError, csv.Error) as error:
            raise DataError(f"{path} is damaged ({error}): bring it back with `git checkout -- {path.name}`") from None
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

    An image that was in quarantine only for want of a label becomes usable.
    """
    given = {digest: one.label for digest, one in read(path).items()}
    if not given:
        return rows
    rows = rows.copy()
    people = rows["sha256"].map(given).astype("string")
    rows["label"] = people.fillna(rows["label"])
    labelled = people.notna() & (rows["status"] == QUARANTINED) & rows["reason"].str.startswith(NO_LABEL)
    # A file that was never decoded has no format: it stays out, for another reason.
    sound = labelled & rows["format"].notna()
    rows.loc[sound, "status"], rows.loc[sound, "reason"] = OK, None
    rows.loc[labelled & ~sound, "reason"] = "labelled, but not readable as an image"
    return rows
