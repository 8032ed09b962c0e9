"""A search for better values where images have boxes: by the mAP on the validation images, the larger the better."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from boxed import make_coco
from conftest import copy_project, make_project, on_the_cpu
from tuned import opened, trained

from sightline import config
from sightline.data import ingest, shards
from sightline.data.loader import load
from sightline.heads.labels import DETECT
from sightline.project import Paths
from sightline.report.tune import write_tune_page
from sightline.tune import length, search, trial
from sightline.tune.search import Attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sightline.train.checkpoint import Epoch
    from sightline.tune.space import Asked

RECIPE = {"epochs": 1, "batch_size": 8, "optimiser": "adamw", "learning_rate": 0.004, "zoom": 0.7, "crop": 0.0}
SIZE = {"preprocess.size": 64}


@pytest.fixture(scope="module", autouse=True)
def _on_the_cpu() -> Iterator[None]:
    with on_the_cpu():
        yield


@pytest.fixture(scope="module")
def decoded(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """A project of squares, decoded; to be copied, not changed."""
    home = tmp_path_factory.mktemp("decoded")
    root = make_project(home / "toy project", make_coco(home / "squares", 60) / "coco.json").root
    for key, value in {
        "project.preset": None,
        "preprocess.size": 64,
        "pretrain.init": None,
        "finetune.recipe": RECIPE,
        "finetune.scratch": {**RECIPE, "steps": 6},
    }.items():
        config.write_value(root, key, value)
    ingest.ingest(Paths(root), "target")
    shards.preprocess(Paths(root), "target")
    return Paths(root)


@pytest.fixture
def paths(decoded: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """A copy of it, entered."""
    return copy_project(decoded, tmp_path / "toy project", monkeypatch)


def test_what_a_detector_looks_at_is_searched(paths: Paths) -> None:
    """Zoom for crop, no smoothing and no mixing; the network at sizes in steps of 64 pixels, unless they are given."""
    looking = opened(paths, {"preprocess.size": 64, "pretrain.network": "cnn"})
    (first,) = looking.space.starts()
    names = {name.rpartition(".")[2] for name in first}
    assert names == {"learning_rate", "weight_decay", "batch_size", "ema", "zoom", "augmentation"}
    params = config.load(paths.root)
    assert [(one.network, one.size) for one in length.rungs(params, {}, has_backbone=True)] == [
        ("cnn", 64),
        ("cnn", 128),
        ("cnn", 192),
    ]
    assert len(length.rungs(params, SIZE, has_backbone=False)) == 1
    searched = looking.study.get_trials(deepcopy=False)[0].system_attrs["fixed_params"]
    assert set(searched) == set(first)


@pytest.mark.slow
def test_the_highest_score_is_found(paths: Paths) -> None:
    """What it is compared by is named, in the sentence and on the page; hopeless is what scores less."""
    looking = opened(paths, SIZE)

    def train(number: int, origin: int, asked: Asked, hopeless: Callable[[Epoch], bool], again: int = 0) -> Attempt:
        del origin, asked, hopeless
        return Attempt(value=(0.3, 0.6, 0.5)[number] - 0.2 * again, score=0.5, run="")

    search.search(looking, train, paths.runs, 1, time.time() + 600, 3)
    found = search.found(looking, paths.runs, 1)
    assert (found.number, found.value, found.before) == (1, 0.6, 0.3)
    assert "trial 1 has the highest validation mAP 50, 0.6000, the present recipe 0.3000" in found.sentence
    html = write_tune_page(paths, looking, found).read_text(encoding="utf-8")
    assert "judged by the mAP 50 of its answers to the validation images; no trial" in html
    assert "og loss" not in html
    assert "other seed" not in html
    search.repeat(looking, train, paths.runs, 1, time.time() + 600)
    again = search.found(looking, paths.runs, 1)
    html = write_tune_page(paths, looking, again).read_text(encoding="utf-8")
    assert again.value == pytest.approx(0.5)
    assert "other seed" in html
    assert '>0.6000</td><td data-name="other seed">0.4000</td>' in html
    config.save(paths.root, found.values)
    assert config.load(paths.root).finetune.scratch.zoom == pytest.approx(found.asked.recipe.zoom)


@pytest.mark.slow
def test_trials_train_detectors_of_several_sizes(paths: Paths) -> None:
    """Each is judged by the mAP 50 of its own network on validation images of its own size."""
    looking = opened(paths)
    tried: list[tuple[Asked, Attempt]] = []

    def train(number: int, origin: int, asked: Asked, hopeless: Callable[[Epoch], bool], again: int = 0) -> Attempt:
        done = trained(paths, number, origin, asked, hopeless, again)
        tried.append((asked, done))
        return done

    search.search(looking, train, paths.runs, 1, time.time() + 600, 2)
    assert [asked.rung.size for asked, _ in tried] == [64, 128]
    assert all(done.value == done.score for _, done in tried)
    assert load(trial.images_of(paths, 128), "val").task == DETECT
