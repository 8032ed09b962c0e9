"""Likely label errors, as a run looks for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import enter, make_images, make_project

from sightline.config import write_value
from sightline.data import manifest
from sightline.data.loader import load
from sightline.data.reference import DataRef, describe
from sightline.data.versions import dvc, history
from sightline.evaluate import label_errors
from sightline.project import Paths
from sightline.report.label_errors import LabelErrors, write_label_errors
from sightline.train import stages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WRONG = [f"blue/wrong{number}.png" for number in range(8)]


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Paths, DataRef]]:
    """A project of which eight red images are called blue, decoded."""
    home = tmp_path_factory.mktemp("doubting")
    images = make_images(home / "blobs", per_class=40)
    for number, path in enumerate(WRONG):
        (images / "red" / f"{number:04d}.png").rename(images / path)
    with pytest.MonkeyPatch.context() as patch:
        root = make_project(home / "project", images).root
        write_value(root, "datasets.target.roles", {"train": 0.5, "val": 0.25, "calib": 0.25})
        paths = enter(Paths(root), patch)
        one = history.ingest(paths, "target")
        two = dvc.reproduce(paths, "validate", "target")
        three = dvc.reproduce(paths, "preprocess", "target")
        yield paths, describe(paths, "target", one.digest, two.digest, three.digest)


@pytest.mark.parametrize("with_backbone", [False, True])
def test_wrong_labels_are_found_and_shown(ready: tuple[Paths, DataRef], tmp_path: Path, *, with_backbone: bool) -> None:
    """By colours and textures alone, and by the features of a backbone; no right one is among them."""
    paths, data = ready
    backbone = None
    if with_backbone:
        folder = paths.runs / "pretrain" / "blobs"
        folder.mkdir(parents=True)
        place = stages.Place(paths.root, folder, paths.shards("target"), lambda _: None)
        backbone = stages.pretrain(place, paths.params.pretrain, 0)
    suspected = label_errors.find_label_errors(paths, data, backbone)
    done = write_label_errors(paths, "target", suspected, paths.runs / "labels" / tmp_path.name)
    page = (paths.root / done.path).read_text(encoding="utf-8")
    assert sum(path in page for path in WRONG) == done.labels >= len(WRONG) // 2
    assert f"blue → red ({done.labels})" in done.sentence
    assert page.count("blue, likely red") == done.labels
    assert done.is_whole(paths.root)
    (paths.root / done.path).write_text("changed", encoding="utf-8")
    assert not done.is_whole(paths.root)


@pytest.mark.parametrize(("labels", "words"), [(1, "1 looks wrong: a.html"), (1200, "1,200 look wrong: a.html")])
def test_words_agree_with_their_number(labels: int, words: str) -> None:
    """One looks wrong, several look wrong."""
    assert LabelErrors(path="a.html", digest="", labels=labels, sentence="").words == words


def test_rows_stand_in_the_order_of_the_shards(ready: tuple[Paths, DataRef]) -> None:
    """Each image of a shard has the label of its row."""
    paths, data = ready
    for role in ("train", "val", "calib"):
        images = load(paths.shards("target"), role)
        listed = label_errors._rows_of(manifest.read(paths.manifest("target")), role)
        assert [data.classes[label] for label in images.labels] == listed["label"].tolist()


def test_a_set_beyond_a_minute_is_left_to_the_command(
    ready: tuple[Paths, DataRef], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence says so, and nothing is claimed."""
    paths, data = ready
    monkeypatch.setattr(label_errors, "MOST", 1)
    done = label_errors.find_label_errors(paths, data, None)
    assert (done.finding, done.sentence) == (None, "Too many to ask in a run: `sightline data quality` does.")
