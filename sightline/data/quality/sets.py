"""Findings about sets of labels: classes that no image tells from others, and names that may mean the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from sightline.data.quality.finding import Finding, singles, usable
from sightline.heads.labels import LABELS, MULTILABEL

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from sightline.params import Validate

NAMED = 5
"""Classes that a sentence names before it counts the others."""


def always(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Classes that every image shows."""
    del limits
    images, inside = _members(rows)
    found = [name for name, there in inside.items() if there.all()]
    sentence = (
        f"Every image shows {_some(found)}: there is nothing to learn about it. Add images that do not show it, or "
        "leave the class out."
    )
    return _finding("always-there", "Classes that are always there", sentence, found, images)


def together(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Classes that are there on the same images, each of them."""
    del limits
    images, inside = _members(rows)
    same: dict[bytes, list[str]] = {}
    for name, there in inside.items():
        same.setdefault(there.tobytes(), []).append(name)
    found = [" = ".join(names) for names in same.values() if len(names) > 1]
    sentence = (
        f"On exactly the same images: {_some(found)}. No network can tell these apart: add images that show one "
        "without the other, or make one class of them."
    )
    return _finding("inseparable", "Classes that are always together", sentence, found, images)


def spellings(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Names that differ in nothing but letter case, blanks and signs."""
    del limits
    images, inside = _members(rows)
    alike: dict[str, list[str]] = {}
    for name in inside:
        alike.setdefault(re.sub(r"[\W_]+", "", name.casefold()) or name, []).append(name)
    found = [" = ".join(names) for names in alike.values() if len(names) > 1]
    sentence = f"Perhaps one class in several spellings: {_some(found)}. Then give them one name."
    rare = [min(names, key=lambda one: int(inside[one].sum())) for names in alike.values() if len(names) > 1]
    shown = np.any([inside[name] for name in rare], axis=0) if rare else np.zeros(len(images), dtype=bool)
    return _finding("spellings", "Names that may mean the same", sentence, found, images[shown])


def _members(rows: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, NDArray[np.bool_]]]:
    """The images that are labelled, and for each class which of them show it."""
    images = usable(rows).dropna(subset="label")
    return images, LABELS[MULTILABEL].members(images["label"])


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def _finding(name: str, title: str, sentence: str, found: list[str], images: pd.DataFrame) -> Finding | None:
    if not found:
        return None
    return Finding(name, title, sentence, len(found), singles(images["path"]))
