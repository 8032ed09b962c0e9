"""The training stages beside what they share."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from boxed import make_coco
from conftest import make_images, make_project

from sightline import config, scaffold
from sightline.data import shards
from sightline.data.ingest import ingest
from sightline.data.loader import load
from sightline.data.shards import preprocess
from sightline.heads.labels import DETECT
from sightline.params import Pretrain
from sightline.project import Paths
from sightline.recipe import Recipe
from sightline.train import stages

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


@pytest.mark.slow
def test_other_pixels_give_another_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same labels and backbone, all images inverted: the features of before are not taken for theirs."""
    paths = make_project(tmp_path / "toy", make_images(tmp_path / "images", 20))
    ingest(paths, "target")
    preprocess(paths, "target")
    params = paths.params

    def place(name: str) -> stages.Place:
        (paths.runs / name).mkdir(parents=True, exist_ok=True)
        return stages.Place(paths.root, paths.runs / name, paths.shards("target"), lambda _: None)

    backbone = stages.scratch(place("backbone"), "cnn", Recipe(epochs=1), 0)
    augmentation = params.finetune.recipe.augmentation
    first = stages.transfer(place("head"), backbone, params.transfer, augmentation, 0)
    assert stages.transfer(place("again"), backbone, params.transfer, augmentation, 0).weights == first.weights
    assert len(list((paths.runs / "features").glob("*.safetensors"))) == 1

    pixels, digest = load(paths.shards("target"), "train").pixels[:], load(paths.shards("target"), "train").digest
    usual = shards._stored

    def inverted(*words: str) -> NDArray[np.uint8]:
        return np.invert(usual(*words))  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(shards, "_stored", inverted)
        patch.setattr(shards, "ProcessPoolExecutor", ThreadPoolExecutor)
        paths.decoded("target").unlink()
        preprocess(paths, "target")
    inside = load(paths.shards("target"), "train")
    assert (inside.pixels[:] == 255 - pixels).all()
    assert inside.digest != digest
    other = stages.transfer(place("other"), backbone, params.transfer, augmentation, 0)
    assert other.weights != first.weights
    assert len(list((paths.runs / "features").glob("*.safetensors"))) == 2


@pytest.mark.slow
def test_detectors_begin_with_the_backbone_that_is_given(tmp_path: Path) -> None:
    """One that came with Sightline, and one that learned classes: its weights are there before the first step."""
    scaffold.init(tmp_path / "p", str(make_coco(tmp_path / "squares", 24)), None, "toy", lambda _: None)
    config.write_value(tmp_path / "p", "preprocess.size", 64)
    paths = Paths(tmp_path / "p")
    ingest(paths, "target")
    preprocess(paths, "target")

    def place(name: str) -> stages.Place:
        (paths.runs / name).mkdir(parents=True, exist_ok=True)
        return stages.Place(paths.root, paths.runs / name, paths.shards("target"), lambda _: None)

    still = Recipe(epochs=1, steps=1, batch_size=4, learning_rate=1e-9, crop=0.0, freeze_statistics=True)
    given = stages.adopt(place("given"), Pretrain(network="cnn", recipe=still, init="embedded:fractals"), 0)
    assert (given.task, given.is_adopted) == (DETECT, True)
    tuned = stages.finetune(place("tuned"), given, still, 0)
    plain = stages.scratch(place("plain"), "cnn", still, 0)
    weights = (one.load(paths.root).backbone.state_dict()["0.weight"] for one in (given, tuned, plain))
    # At the length of fresh ones, as `begin_from` brings them.
    first, same, other = (one / one.norm() for one in weights)
    np.testing.assert_allclose(first, same, atol=1e-6)
    assert not np.allclose(first, other, atol=1e-3)
