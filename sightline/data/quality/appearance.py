"""Findings about single images: blank, dark, bright, blurred, with little to see, of an odd size or shape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.data.quality.finding import Finding, singles, usable
from sightline.words import counted

if TYPE_CHECKING:
    import pandas as pd

    from sightline.params import Validate


def blank(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Images of one grey level, but for noise."""
    images = usable(rows)
    found = images[_is_blank(images, limits)]
    said = "one even surface, with nothing to learn from. Remove them, or look for what went wrong with the camera."
    return _finding("blank", "Blank images", found, "contrast", said)


def dark(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Images of which 95 % are nearly black."""
    images = _visible(rows, limits)
    found = images[images["bright_end"] < limits.dark]
    return _finding("dark", "Dark images", found, "bright_end", "nearly black. Expose longer, or remove them.")


def bright(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Images of which 95 % are nearly white."""
    images = _visible(rows, limits)
    found = images[images["dark_end"] > limits.bright].sort_values("dark_end", ascending=False, kind="stable")
    return _finding("bright", "Bright images", found, None, "nearly white. Expose shorter, or remove them.")


def blurred(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Images far less sharp than the median of the set."""
    images = _visible(rows, limits)
    found = images[images["sharpness"] < limits.blurred * images["sharpness"].median()]
    said = f"less than {limits.blurred:g} times as sharp as the median. Look whether the object can still be told."
    return _finding("blurred", "Blurred images", found, "sharpness", said)


def little_to_see(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Images whose grey levels say far less than the median's."""
    images = _visible(rows, limits)
    found = images[images["entropy"] < limits.little_to_see * images["entropy"].median()]
    said = f"less than {limits.little_to_see:g} times the median information (entropy of the grey levels)."
    return _finding("little-to-see", "Images with little to see", found, "entropy", said)


def odd_size(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Images whose side (root of the area) is far from the median."""
    images = usable(rows)
    ratio = _ratio((images["width"].astype(float) * images["height"].astype(float)) ** 0.5)
    said = f"more than {limits.odd_size:g} times as large or as small as the median. Images are squeezed to one size."
    return _finding("odd-size", "Odd sizes", _furthest(images, ratio, limits.odd_size), None, said)


def odd_shape(rows: pd.DataFrame, limits: Validate) -> Finding | None:
    """Images whose width to height is far from the median."""
    images = usable(rows)
    ratio = _ratio(images["width"].astype(float) / images["height"].astype(float))
    said = f"more than {limits.odd_shape:g} times as wide or as tall as the median. Images are squeezed to a square."
    return _finding("odd-shape", "Odd shapes", _furthest(images, ratio, limits.odd_shape), None, said)


def _is_blank(images: pd.DataFrame, limits: Validate) -> pd.Series:
    return images["contrast"] < limits.blank


def _visible(rows: pd.DataFrame, limits: Validate) -> pd.DataFrame:
    """Usable images that are not blank: what is blank is told once."""
    images = usable(rows)
    return images[~_is_blank(images, limits)]


def _ratio(values: pd.Series) -> pd.Series:
    """How many times larger or smaller than the median, at least 1."""
    ratio = values / values.median()
    return ratio.where(ratio >= 1, 1 / ratio)


def _furthest(images: pd.DataFrame, ratio: pd.Series, limit: float) -> pd.DataFrame:
    order = ratio[ratio > limit].sort_values(ascending=False, kind="stable").index
    return images.loc[order]


def _finding(name: str, title: str, found: pd.DataFrame, worst_by: str | None, said: str) -> Finding | None:
    """Make a finding of the images `found`, those with the lowest `worst_by` first."""
    if found.empty:
        return None
    if worst_by:
        found = found.sort_values(worst_by, kind="stable")
    return Finding(name, title, f"{counted(len(found), 'image')}: {said}", len(found), singles(found["path"]))
