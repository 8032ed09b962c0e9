"""The process that trains a version again walks the same chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from conftest import enter, make_images, make_project

from sightline.data.ingest import ingest
from sightline.lineage.retrain import Retraining, retrain
from sightline.train import chain
from sightline.train.machine import use_threads
from sightline.train.stages import InProcess, Place

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_line_of_a_head_is_trained_again_with_its_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Backbone and head come out as the chain trains them, from shards made anew; nothing else is trained."""
    images = make_images(tmp_path / "target", per_class=20)
    source = make_images(tmp_path / "source", per_class=20, first=1000)
    paths = enter(make_project(tmp_path / "toy project", images, source), monkeypatch)
    for use in ("source", "target"):
        ingest(paths, use)
    line, usual = ("pretrain", "transfer"), torch.get_num_threads()
    threads = {"pretrain": str(usual + 1), "transfer": str(usual)}
    request = Retraining(threads=threads, workers=dict.fromkeys(line, 1), decode=("source", "target"))
    again = retrain(paths.root, request)
    assert [one.stage for one in again] == list(line)
    assert [dict(one.notes)["machine"]["threads"] for one in again] == [*threads.values()]
    assert sorted(folder.name for folder in paths.runs.iterdir()) == ["features", *line]

    def place(stage: str, use: str) -> Place:
        use_threads(threads[stage])
        folder = paths.runs / f"{stage} once more"
        folder.mkdir()
        return Place(paths.root, folder, paths.shards(use), lambda _: None)

    found = chain.train(InProcess(place, has_source=True), paths.params, line)
    assert [one.weights for one in found.all] == [one.weights for one in again]
