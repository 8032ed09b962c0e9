"""Groups by a part of the path and by bursts of one camera."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from conftest import COLOURS, draw, make_images, make_project
from PIL import ExifTags, Image

from sightline.config import write_value
from sightline.data import manifest
from sightline.data.files.statistics import statistics
from sightline.data.ingest import ingest
from sightline.data.manifest import COLUMNS
from sightline.data.roles.groups import bursts, by_path
from sightline.errors import ConfigError, DataError
from sightline.params import Grouping

if TYPE_CHECKING:
    from pathlib import Path


def table(**columns: list[str | None]) -> pd.DataFrame:
    """Rows of a manifest."""
    rows = pd.DataFrame({"status": "ok", **columns})
    return rows.reindex(columns=list(COLUMNS)).astype(COLUMNS)


def test_brackets_of_the_pattern_name_the_group() -> None:
    """Several brackets are joined; a group of a table stays; a path that does not fit has none."""
    paths: list[str | None] = ["07/00001_2.jpg", "08/00001_2.jpg", "07/00001_3.jpg", "odd.jpg"]
    rows = by_path(table(path=paths, group=[None, None, "told", None]), Grouping(pattern=r"(\d+)/(\d+)_"))
    assert rows["group"].tolist()[:3] == ["07/00001", "08/00001", "told"]
    assert pd.isna(rows["group"].iloc[3])


def test_empty_brackets_make_no_group() -> None:
    """All images without the part that names one would be one group, and lie on one side."""
    rows = by_path(
        table(path=["a/p1_1.jpg", "a/2.jpg", "b/3.jpg"], group=[None] * 3), Grouping(pattern=r"/(?:p(\d+)_)?")
    )
    assert rows["group"].fillna("none").tolist() == ["1", "none", "none"]


def test_a_pattern_that_fits_nothing_is_told() -> None:
    """A mistake in the expression would silently leave everything ungrouped."""
    with pytest.raises(DataError, match=r"'\(x\)_' fits none of 1 paths, such as a/1.jpg"):
        by_path(table(path=["a/1.jpg"]), Grouping(pattern="(x)_"))


def test_shots_that_follow_closely_are_linked_one_by_one() -> None:
    """Within the seconds and of one camera; another camera, a pause and a file without a time stay apart."""
    times = ["2026-01-01 10:00:00", "2026-01-01 10:00:30", "2026-01-01 10:00:05", "2026-01-01 10:00:06", None]
    rows = table(path=list("abcde"), taken=times, camera=["X", "X", "X", "Y", "X"])
    assert bursts(rows, Grouping(burst=10)).tolist() == [[0, 2]]
    assert bursts(rows, Grouping(burst=25)).tolist() == [[0, 2], [2, 1]]
    assert bursts(rows, Grouping()).tolist() == []


def test_camera_and_time_come_from_exif() -> None:
    """Of the moment of the shot, else of the file; damaged EXIF says nothing."""
    image = Image.new("L", (8, 8))
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "Acme", "One\0"
    exif[ExifTags.Base.DateTime] = "2026:02:03 04:05:06"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2026:01:02 03:04:05"
    image.info["exif"] = exif.tobytes()
    seen = statistics(image)
    assert (seen["camera"], seen["taken"]) == ("Acme One", "2026-01-02 03:04:05")
    image = Image.new("L", (8, 8))
    image.info["exif"] = b"Exif\0\0MM\0*\xff\xff\xff\xffrubbish"
    seen = statistics(image)
    assert (seen["camera"], seen["taken"]) == (None, None)


def test_bursts_and_patterns_keep_images_in_one_role(tmp_path: Path) -> None:
    """Twenty images of a burst, as many of a track: one role each, in the ingested manifest."""
    folder = make_images(tmp_path / "images", per_class=10)
    for number in range(20):
        image = draw(number, COLOURS["red"])
        image.save(folder / "red" / f"track_{number}.png")
        exif = Image.Exif()
        exif[ExifTags.Base.Make], exif[ExifTags.Base.DateTime] = "Acme", f"2026:01:01 10:{number:02d}:00"
        draw(500 + number, COLOURS["blue"]).save(folder / "blue" / f"burst{number}.jpg", exif=exif)
    paths = make_project(tmp_path / "project", folder)
    write_value(paths.root, "datasets.target.group.pattern", r"(track)_\d+")
    write_value(paths.root, "datasets.target.group.burst", 60.0)
    ingest(paths, "target")
    rows = manifest.read(paths.manifest("target"))
    for name in ("track_", "burst"):
        members = rows[rows["path"].str.contains(name)]
        assert len(members) == 20
        assert len({*members["role"]}) == 1
        assert len({*members["group"]}) == 1


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("pattern", "no brackets", "needs brackets"),
        ("pattern", "(", "no regular expression"),
        ("burst", -1.0, "at least 0"),
    ],
)
def test_a_wrong_value_is_told(tmp_path: Path, key: str, value: object, told: str) -> None:
    """Before anything runs."""
    paths = make_project(tmp_path / "project", make_images(tmp_path / "images", per_class=2))
    text = (paths.root / "params.yaml").read_text(encoding="utf-8")
    wrong = text.replace(f"      {key}: null", f"      {key}: {json.dumps(value)}")
    (paths.root / "params.yaml").write_text(wrong, encoding="utf-8")
    with pytest.raises(ConfigError, match=told):
        _ = paths.params
