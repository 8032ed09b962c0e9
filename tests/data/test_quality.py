from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from sightline.data.manifest import COLUMNS
from sightline.data.quality import DEMANDS, FINDERS, Finding, findings
from sightline.params import Validate

if TYPE_CHECKING:
    from typing import Any

LIMITS = Validate()


def manifest(each: int = 40, **changes: Any) -> pd.DataFrame:
    """Make a manifest of two classes without anything odd, and with `changes`: (row, column) → value by `at_…`."""
    count = 2 * each
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"path": [f"{'ab'[n % 2]}/{n:03d}.jpg" for n in range(count)], "label": ["a", "b"] * each})
    rows["sha256"] = [f"{n:064x}" for n in range(count)]
    rows["group"] = "sha256:" + rows["sha256"]
    rows["phash"] = [f"{int(bits):016x}" for bits in rng.integers(0, 2**62, count)]
    for column, (low, high) in {"brightness": (0.4, 0.6), "contrast": (0.1, 0.2), "entropy": (6, 7)}.items():
        rows[column] = rng.uniform(low, high, count)
    rows["sharpness"] = rng.uniform(1, 2, count)
    rows = rows.assign(dark_end=0.2, bright_end=0.8, width=100, height=80, bytes=5000, format="JPEG", mode="RGB")
    rows = rows.assign(role=["train", "train", "val", "val"] * (each // 2), status="ok", shard=0, **changes)
    return rows.reindex(columns=list(COLUMNS)).astype(COLUMNS)


def found(rows: pd.DataFrame, limits: Validate = LIMITS) -> dict[str, Finding]:
    """Collect the findings by id."""
    return {finding.id: finding for finding in findings(rows, limits)}


def put(rows: pd.DataFrame, at: list[int], **values: Any) -> pd.DataFrame:
    """Write `values` into the columns of the rows `at`."""
    for column, value in values.items():
        rows.loc[at, column] = value
    return rows


def test_a_sound_data_set_has_no_findings() -> None:
    """Silence where nothing is odd, and where nothing is there."""
    assert found(manifest()) == {}
    assert found(manifest().head(0)) == {}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("blank", {"contrast": 0.004}),
        ("dark", {"bright_end": 0.05}),
        ("bright", {"dark_end": 0.9}),
        ("blurred", {"sharpness": 0.2}),
        ("little-to-see", {"entropy": 2.0}),
        ("odd-size", {"width": 1000, "height": 800}),
        ("odd-shape", {"width": 250}),
        ("copies", {"sha256": "f" * 64}),
        ("near-copies", {"alike": "f" * 64}),
    ],
)
def test_an_odd_look_is_found_and_shown(name: str, values: dict[str, Any]) -> None:
    """Each finding names its images, and no other finding is made of them."""
    finding = found(put(manifest(), [4, 12], **values))
    assert set(finding) == {name}
    assert {path for group in finding[name].groups for path in group} == {"a/004.jpg", "a/012.jpg"}


def test_copies_under_two_labels_contradict() -> None:
    """Near copies as well as exact ones, also where the exact ones are in quarantine already."""
    rows = put(manifest(), [0, 1], sha256="f" * 64, status="quarantined", role=None)
    rows = put(rows, [4, 5], alike="e" * 64)
    told = found(rows)
    assert told["contradictions"].groups == (("a/000.jpg", "b/001.jpg"), ("a/004.jpg", "b/005.jpg"))
    assert "copies" not in told


def test_copies_under_one_label_stay_told_beside_contradictions() -> None:
    """Two files that a person may delete one of, a file without a label among them; not the one of two classes."""
    rows = put(put(manifest(), [0, 1], sha256="f" * 64), [2, 4, 6], sha256="e" * 64)
    copies = found(put(rows, [6], label=None))["copies"]
    assert (copies.cases, copies.groups) == (1, (("a/002.jpg", "a/004.jpg", "a/006.jpg"),))


def test_copies_on_both_sides_of_a_split_leak() -> None:
    """Told with the pictures, whether a role or the origin's split divides them."""
    rows = put(manifest(), [0, 2], alike="f" * 64)
    rows = put(rows, [4, 6], sha256="e" * 64, status="quarantined", role=None)
    rows = put(put(rows, [4], split="train"), [6], split="test")
    assert found(rows)["leaks"].groups == (("a/000.jpg", "a/002.jpg"), ("a/004.jpg", "a/006.jpg"))


def test_a_large_group_of_near_copies_is_told() -> None:
    """Above 1 % of the set, and of more than four images."""
    assert "large-groups" not in found(put(manifest(), [0, 4, 8, 12], alike="f" * 64))
    large = found(put(manifest(), [0, 4, 8, 12, 16], alike="f" * 64))["large-groups"]
    assert "The largest holds 5 images" in large.sentence


def series(count: int = 40) -> pd.DataFrame:
    """Images of both classes in series of five that share their light."""
    rows = manifest(count)
    light = np.random.default_rng(1).uniform(0.1, 0.9, count)
    rows["brightness"] = [light[n // 10 * 2 + n % 2] + n % 10 / 1000 for n in range(len(rows))]
    rows["contrast"] = rows["brightness"] / 4
    return rows


def test_series_without_a_group_are_told_with_a_figure() -> None:
    """Neighbours by name that are alike, whatever is written before their number."""
    finding = found(series())["ungrouped"]
    share = int(finding.sentence.partition("%")[0])
    assert 70 <= share <= 100
    assert len(finding.groups[0]) == 2
    shuffled = series()
    shuffled["path"] = [f"{(n * 7919) % 97:02d}-{path[2:]}" for n, path in enumerate(shuffled["path"])]
    assert "ungrouped" in found(shuffled)


def test_series_with_a_group_are_not_told() -> None:
    """Who names the groups has done what the finding asks for."""
    rows = series()
    rows["group"] = pd.Series([f"track-{n // 10}-{n % 2}" for n in range(len(rows))], dtype="string")
    assert "ungrouped" not in found(rows)


def test_uneven_classes_are_told() -> None:
    """The smallest class is named, and shown."""
    rows = manifest()
    rows = rows[(rows["label"] == "a") | (rows.index == 1)]
    finding = found(rows)["imbalance"]
    assert "a has 40 images, b 1 image: 40 times fewer" in finding.sentence
    assert finding.groups == (("b/001.jpg",),)


@pytest.mark.parametrize(
    ("fact", "column", "of_a", "of_b"),
    [
        ("format", "format", "PNG", "JPEG"),
        ("camera", "camera", "Acme Eye", None),
        ("size", "height", 90, 80),
        ("colour mode", "mode", "L", "RGB"),
    ],
)
def test_a_technical_fact_that_tells_a_class_is_a_shortcut(
    fact: str, column: str, of_a: str | int, of_b: str | int | None
) -> None:
    """One image of the other kind does not hide it."""
    rows = manifest()
    rows[column] = pd.Series([of_a, of_b] * 40, dtype=COLUMNS[column])
    rows.loc[0, column] = of_b
    assert f"a by its {fact} (99%)" in found(rows)["shortcuts"].sentence
    assert "shortcuts" not in found(rows, Validate(shortcut=0.995))


def test_every_finding_but_exact_copies_is_an_expectation_under_its_own_limits() -> None:
    """A limit that is named wrongly would break the rule at run time."""
    assert set(FINDERS) - set(DEMANDS) == {"copies"}
    known = {field.name for field in fields(Validate)}
    assert {name for _, names in DEMANDS.values() for name in names} <= known
