"""What is odd about the images of a data set, each finding with the images to look at.

Every finder looks at the manifest alone: `findings` takes a second at a million rows, and asks no file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.data.quality import appearance, classes, copies, names, series, sets
from sightline.data.quality.finding import Finding
from sightline.heads.labels import CLASSIFY, LABELS

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd

    from sightline.params import Validate

__all__ = ["FINDERS", "Finding", "findings"]

FINDERS: dict[str, Callable[[pd.DataFrame, Validate], Finding | None]] = {
    "copies": copies.identical,
    "near-copies": copies.near,
    "contradictions": copies.contradictions,
    "leaks": copies.leaks,
    "large-groups": copies.large_groups,
    "crowds": copies.crowds,
    "ungrouped": series.ungrouped,
    "blank": appearance.blank,
    "dark": appearance.dark,
    "bright": appearance.bright,
    "blurred": appearance.blurred,
    "little-to-see": appearance.little_to_see,
    "odd-size": appearance.odd_size,
    "odd-shape": appearance.odd_shape,
    "misnamed": names.misnamed,
    "imbalance": classes.imbalance,
    "shortcuts": classes.shortcuts,
}
"""Id of the finding → who looks for it; None where there is nothing to tell."""


DEMANDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "near-copies": ("No usable picture is there in several sizes, compressions, crops or turns.", ()),
    "contradictions": ("No picture, nor a near copy of it, has two labels.", ()),
    "leaks": ("No picture, nor a near copy of it, is on both sides of a split.", ()),
    "large-groups": ("No group of near copies makes up a large part of the set.", ("large_group",)),
    "crowds": ("Images that are no copies of one another are not as alike as copies.", ()),
    "ungrouped": ("Images taken in series have a group.", ("ungrouped",)),
    "blank": ("No image is blank.", ("blank",)),
    "dark": ("No image is nearly black.", ("dark", "blank")),
    "bright": ("No image is nearly white.", ("bright", "blank")),
    "blurred": ("No image is far less sharp than the others.", ("blurred", "blank")),
    "little-to-see": ("No image shows far less than the others.", ("little_to_see", "blank")),
    "odd-size": ("No image is far larger or smaller than the others.", ("odd_size",)),
    "odd-shape": ("No image is far wider or taller than the others.", ("odd_shape",)),
    "misnamed": ("No file has the extension of another format.", ()),
    "imbalance": ("No class has many times the images of another.", ("imbalance",)),
    "shortcuts": ("No class can be told without a look at the object.", ("shortcut",)),
}
"""Id of the finding → what is asked, and the limits that decide; exact copies have rules of their own."""


OF_SETS: dict[str, Callable[[pd.DataFrame, Validate], Finding | None]] = {
    "always-there": sets.always,
    "inseparable": sets.together,
    "spellings": sets.spellings,
}
"""Those that look at sets of labels, where images have such."""
DEMANDS_OF_SETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "always-there": ("No class is on every image.", ()),
    "inseparable": ("No two classes are on exactly the same images.", ()),
    "spellings": ("No two names of classes differ in case and signs alone.", ()),
}
BY_LABEL = frozenset({"imbalance", "shortcuts"})
"""Finders that look at an image once for each of its labels."""


def of_sets(task: str) -> bool:
    """Whether what is learned is which classes an image shows, several perhaps."""
    return LABELS[task].are_sets and not LABELS[task].are_boxes


def findings(rows: pd.DataFrame, limits: Validate, task: str = CLASSIFY) -> list[Finding]:
    """List what is odd about the data set with the manifest `rows`; an empty list where nothing is."""
    found = (found_by(name, rows, limits, task) for name in (*FINDERS, *(OF_SETS if of_sets(task) else ())))
    return [one for one in found if one is not None]


def found_by(name: str, rows: pd.DataFrame, limits: Validate, task: str) -> Finding | None:
    """What one finder has to tell, whose labels are meant as `task` says."""
    if name in BY_LABEL:
        each = LABELS[task].each(rows["label"])
        rows = rows.loc[each.index].assign(label=each.to_numpy()).reset_index(drop=True)
    return {**FINDERS, **OF_SETS}[name](rows, limits)
