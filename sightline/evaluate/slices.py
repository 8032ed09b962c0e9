"""Slices of a test release: the accuracy of one class, of one group, of the dark images, of the small ones.

An average hides a part on which the model fails; a slice is such a part, with a name that people understand.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from sightline.heads.labels import CLASSIFY, LABELS
from sightline.heads.shares import wilson

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from sightline.evaluate.metrics import BoolArray, Figures, FloatArray

SMALLEST = 20
"""A slice of fewer images says next to nothing, unless it is a class."""
MOST_VALUES = 12
"""A column with more distinct values than these is not cut by value."""
MOST_GROUPS = 50
"""Largest groups that are slices of their own."""
MEASURED = ("brightness", "sharpness")
"""Columns of numbers that are cut into thirds, where the manifest has them."""
OTHERWISE_CUT = frozenset({"label", "group", "width", "height", *MEASURED})
NO_PROPERTY = frozenset({"path", "sha256", "role", "shard", "status", "reason", "bytes", "alike", "phash"})
"""Columns about the file or the data set, not about what the image is like."""


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Accuracy on one part of the release."""

    name: str
    images: int
    accuracy: float
    low: float
    """Ends of the 95 % score interval."""
    high: float


def table(rows: pd.DataFrame, task: str = CLASSIFY) -> dict[str, BoolArray]:
    """Members (N,) of each slice, by name such as `label=crazing` or `brightness > 0.62`.

    rows: (N rows) the manifest's rows in the order of the release; further columns are cut as well, by value where they
    have few. A column that is not there, or is alike for all images, gives no slice, nor do measured numbers that are
    not cut into thirds: a value that a few images happen to share is no part that people know. Images of several
    classes are in the slice of each.
    """
    found = {f"label={name}": members for name, members in LABELS[task].members(rows["label"]).items()}
    found |= _by_value("group", rows["group"], smallest=SMALLEST, most=MOST_GROUPS)
    longest = np.maximum(_numbers(rows["width"]), _numbers(rows["height"]))
    found |= _thirds("longest side", longest)
    for name in MEASURED:
        if name in rows:
            found |= _thirds(name, _numbers(rows[name]))
    for name in rows.columns:
        is_measured = rows[name].dtype.kind == "f"
        if name not in OTHERWISE_CUT | NO_PROPERTY and not is_measured and rows[name].nunique() <= MOST_VALUES:
            found |= _by_value(name, rows[name], smallest=SMALLEST, most=MOST_VALUES)
    return {name: members for name, members in found.items() if not members.all()}


def accuracies(slices: Mapping[str, BoolArray], right: Figures) -> list[Slice]:
    """Accuracy of each of the `slices` (none empty), worst first; `right`: (N,) the figure of each image."""
    scored = [_score(name, right[members]) for name, members in slices.items()]
    return sorted(scored, key=lambda one: one.accuracy)


def _score(name: str, right: Figures) -> Slice:
    low, high = wilson(float(right.sum()), len(right))
    return Slice(name=name, images=len(right), accuracy=float(right.mean()), low=low, high=high)


def _by_value(name: str, column: pd.Series[str], smallest: int, most: int) -> dict[str, BoolArray]:
    """A slice for each of the `most` frequent values with at least `smallest` images, by name."""
    counts = column.value_counts()
    values = sorted(counts[counts >= smallest].index[:most])
    return {f"{name}={value}": (column == value).fillna(value=False).to_numpy(dtype=bool) for value in values}


def _thirds(name: str, values: FloatArray) -> dict[str, BoolArray]:
    """Low, middle and high third of `values` (N,); fewer where many are equal, images without a value in none."""
    known = values[np.isfinite(values)]
    if not len(known):
        return {}
    # Rounded first, so that the name is exactly what was cut.
    edges = sorted({float(f"{edge:.3g}") for edge in np.quantile(known, (1 / 3, 2 / 3), method="lower")})
    marks = [-np.inf, *edges, np.inf]
    names = [f"{name} ≤ {edges[0]:g}", *(f"{name} {edges[0]:g} … {last:g}" for last in edges[1:])]
    names.append(f"{name} > {edges[-1]:g}")
    parts = [(values > low) & (values <= high) for low, high in pairwise(marks)]
    return {label: part for label, part in zip(names, parts, strict=True) if part.sum() >= SMALLEST}


def _numbers(column: pd.Series[float]) -> FloatArray:
    return column.to_numpy(dtype=np.float64, na_value=np.nan)
