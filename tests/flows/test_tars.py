"""A target of tar shards, whose images are read where they lie: from `init` to what the champion answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest
from commands import asked, call
from conftest import enter, make_images, make_project
from sharded import shards

from sightline.data import manifest
from sightline.data.files.facts import read_bytes
from sightline.data.versions import archive

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def test_shards_are_learned_judged_and_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Promoted, unchanged in a second run, and compared with the champion in a third; commands find each member."""
    from flows.train import train

    images = shards(make_images(tmp_path / "images"), tmp_path / "shards", "train-0000", "train-0001")
    paths = enter(make_project(tmp_path / "toy project", images), monkeypatch)
    first = train()
    assert (first.outcome.promoted, first.outcome.champion) == (True, "1")
    again = {row.name: row.outcome for row in train().rows}
    assert again["ingest target"] == "up to date"
    assert (again["scratch"], again["evaluate"]) == ("cached", "cached")
    other = train({"finetune.scratch.label_smoothing": 0.2}).outcome
    assert "cost" in {check.name for check in other.blessings}
    rows = manifest.read(paths.manifest("target"))
    assert rows["path"].str.match(r"train-000[01]\.tar/\d{6}\.png").all()
    assert "version 1 on release r1, 29 images" in call(paths.root, "evaluate")
    told = asked(paths.root, "predict", f"data/raw/target/{rows['path'][0]}", f"data/raw/target/{rows['path'][179]}")
    assert [one["label"] for one in told] == [rows["label"][0], rows["label"][179]]
    table = tmp_path / "all.csv"
    call(paths.root, "data", "label", "export", str(table), "--all", "--suggest")
    suggested = pd.read_csv(table)
    assert (suggested["suggestion"] == suggested["label"]).mean() > 0.9
    held = archive.pictures(
        paths, archive.current(paths, "target"), rows[["path", "sha256"]].itertuples(index=False, name=None)
    )
    assert held == {path: read_bytes(paths.raw("target"), path) for path in rows["path"]}
