"""Slices of a test release."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sightline.data.manifest import COLUMNS
from sightline.evaluate.slices import accuracies, table


def manifest(images: int = 120) -> pd.DataFrame:
    """Rows as a manifest has them: three classes in turn, all alike otherwise."""
    number = np.arange(images)
    rows = pd.DataFrame({name: pd.Series([None] * images, dtype=kind) for name, kind in COLUMNS.items()})
    rows["path"] = [f"{index}.png" for index in number]
    rows["sha256"] = [f"{index:064x}" for index in number]
    rows["label"] = np.array(["cat", "cow", "dog"])[number % 3]
    rows["group"] = rows["sha256"]
    rows[["role", "status", "format", "mode"]] = ["test", "ok", "PNG", "RGB"]
    rows[["width", "height", "bytes"]] = 64
    return rows.astype(COLUMNS)


def test_classes_are_slices() -> None:
    """Every class is a slice of its images; what is alike for all images is none."""
    found = table(manifest())
    assert sorted(found) == ["label=cat", "label=cow", "label=dog"]
    assert found["label=cow"].tolist() == [False, True, False] * 40


def test_only_groups_with_enough_images_are_slices() -> None:
    """A group of 25 images is a slice; single images that are groups of their own are none."""
    rows = manifest()
    rows.loc[10:34, "group"] = "line 2"
    found = table(rows)
    assert np.flatnonzero(found["group=line 2"]).tolist() == list(range(10, 35))
    assert sum(name.startswith("group=") for name in found) == 1


def test_numbers_are_cut_into_thirds() -> None:
    """Brightness, where the manifest has it, and size fall into thirds whose names say exactly where they were cut."""
    rows = manifest()
    rows["brightness"] = pd.Series(np.linspace(0, 1, 120), dtype="Float64")
    rows["height"] = np.repeat([32, 200, 800], 40)
    found = table(rows)
    parts = ["brightness ≤ 0.328", "brightness 0.328 … 0.664", "brightness > 0.664"]
    assert [int(found[name].sum()) for name in parts] == [40, 40, 40]
    assert np.sum([found[name] for name in parts], axis=0).tolist() == [1] * 120
    assert found["brightness ≤ 0.328"].tolist() == (rows["brightness"] <= 0.328).tolist()
    assert found["longest side > 200"].sum() == 40


def test_unknown_numbers_are_in_no_third() -> None:
    """An image without a value belongs to no third of it; a column without any value gives no slice."""
    rows = manifest()
    rows["sharpness"] = pd.array([None] * 30 + np.linspace(0, 1, 90).tolist(), dtype="Float64")
    thirds = [found for name, found in table(rows).items() if name.startswith("sharpness")]
    assert np.sum(thirds, axis=0).tolist() == [0] * 30 + [1] * 90
    rows["sharpness"] = pd.array([None] * 120, dtype="Float64")
    assert not any(name.startswith("sharpness") for name in table(rows))


def test_further_columns_are_cut_by_value() -> None:
    """Any column with few values is cut by them; an image without a value is in none, a rare value is no slice."""
    rows = manifest()
    rows["camera"] = pd.array(["old"] * 50 + ["new"] * 40 + ["rare"] * 5 + [None] * 25, dtype="string")
    found = table(rows)
    assert [name for name in found if "camera" in name] == ["camera=new", "camera=old"]
    assert found["camera=new"].sum() == 40


def test_measured_numbers_are_not_cut_by_value() -> None:
    """Where the images of a small set share a few grey levels, these are no slices: nobody knows them by that."""
    rows = manifest()
    for name in ("bright_end", "dark_end", "contrast", "entropy"):
        rows[name] = pd.Series(np.repeat([0.0706, 0.3686], 60), dtype=COLUMNS[name])
    assert sorted(table(rows)) == ["label=cat", "label=cow", "label=dog"]


def test_slices_are_scored_worst_first() -> None:
    """Each slice has its accuracy and interval; the worst comes first."""
    rows = manifest()
    right = (rows["label"] != "dog").to_numpy()
    worst, *_ = accuracies(table(rows), right)
    assert (worst.name, worst.images, worst.accuracy, worst.low) == ("label=dog", 40, 0.0, 0.0)
    assert worst.high == pytest.approx(0.0876, abs=1e-3)
