"""The test images: one door, one list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from sightline.data.ingest import ingest
from sightline.data.loader import load
from sightline.data.shards import preprocess
from sightline.errors import DataError
from sightline.evaluate import release
from sightline.evaluate.evaluation import evaluate
from sightline.evaluate.robustness import GATE
from sightline.models.predictor import Predictor
from sightline.params import Evaluate
from sightline.recipe import Recipe
from sightline.train import stages

if TYPE_CHECKING:
    from sightline.project import Paths

RECIPE = Recipe(epochs=1, batch_size=32)


def place(paths: Paths, name: str) -> stages.Place:
    folder = paths.runs / name
    folder.mkdir(parents=True)
    return stages.Place(paths.root, folder, paths.shards("target"), lambda _: None)


@pytest.fixture
def prepared(toy: Paths) -> Paths:
    ingest(toy, "target")
    preprocess(toy, "target")
    return toy


def test_training_does_without_the_test_images(prepared: Paths) -> None:
    """With the test shards gone every training stage works and evaluation does not: it alone opens them."""
    for path in prepared.shards("target").glob("test-*"):
        path.unlink()
    params = prepared.params
    backbone = stages.pretrain(place(prepared, "backbone"), params.pretrain, 0)
    head = stages.transfer(place(prepared, "head"), backbone, params.transfer, params.finetune.recipe.augmentation, 0)
    stages.finetune(place(prepared, "tuned"), head, RECIPE, 0)
    plain = stages.scratch(place(prepared, "scratch"), "cnn", RECIPE, 0)
    folder = prepared.runs / "evaluation"
    folder.mkdir()
    with pytest.raises(FileNotFoundError, match="test-"):
        evaluate(prepared, folder, plain, Evaluate())


def test_loader_refuses_the_test_role(prepared: Paths) -> None:
    """Whoever asks the loader for the test images is sent away."""
    with pytest.raises(PermissionError, match="evaluation alone"):
        load(prepared.shards("target"), "test")


def test_release_is_fixed_at_first_use(prepared: Paths) -> None:
    """New test images do not join a release that was used already."""
    first = release.current(prepared, "r1")
    from conftest import make_images

    make_images(prepared.raw("target"), per_class=40, first=500)
    ingest(prepared, "target")
    preprocess(prepared, "target")
    assert release.current(prepared, "r1") == first
    assert release.waiting(prepared, first) > 0
    second = release.current(prepared, "r2")
    assert len(second.images) > len(first.images)
    assert second.new == set(second.images) - set(first.images)
    assert second.is_new.sum() == len(second.images) - len(first.images)
    assert not first.is_new.any()
    images, names = release.open_images(prepared, first)
    labels = [images.classes[label] for label in images.labels.tolist()]
    assert labels == [name.split("/")[0] for name in names] == release.labels(prepared, first).tolist()


def test_release_that_lost_an_image_is_refused(prepared: Paths) -> None:
    """A release one of whose images is gone cannot be scored: the remedy is named."""
    first = release.current(prepared, "r1")
    _, names = release.open_images(prepared, first)
    (prepared.raw("target") / names[0]).unlink()
    ingest(prepared, "target")
    with pytest.raises(DataError, match=r"1 of its .* images are no longer"):
        release.current(prepared, "r1")


def test_evaluation_has_every_figure(prepared: Paths) -> None:
    """Report, calibration, slices, robustness and cost stand in the figures; the files are whole until touched."""
    plain = stages.scratch(place(prepared, "scratch"), "cnn", Recipe(epochs=8, batch_size=32), 0)
    folder = prepared.runs / "evaluation"
    folder.mkdir()
    done = evaluate(prepared, folder, plain, Evaluate(wanted_accuracy=0.9), (plain,))
    figures = done.figures(prepared.root)
    assert figures["accuracy"] == pytest.approx(done.right(prepared.root).mean())
    assert {"per_class", "averages", "confusion", "log_loss", "ece_before", "ece_after", "temperature"} <= set(figures)
    assert {row["name"] for row in figures["slices"]} == {"label=blue", "label=green", "label=red"}
    assert figures["robustness"]["clean"] == pytest.approx(figures["accuracy"])
    assert set(figures["robustness"]["accuracy"]) == set(GATE)
    assert figures["agreement"] < 1e-5
    assert 0 < figures["cost"]["p50_ms"] <= figures["cost"]["p95_ms"]
    card = Predictor.load(folder / "bundle").card
    assert card.temperature == figures["temperature"]
    assert (card.wanted_accuracy, card.abstain_below) == (0.9, figures["abstention"]["threshold"])
    assert card.conformal is not None
    assert card.conformal.threshold == figures["conformal"]["threshold"]
    assert figures["comparison"][0]["accuracy"] == pytest.approx(figures["accuracy"])
    assert done.is_whole(prepared.root)
    (folder / "bundle" / "bundle.json").rename(folder / "elsewhere")
    assert not done.is_whole(prepared.root)
    (folder / "elsewhere").rename(folder / "bundle" / "bundle.json")
    assert done.is_whole(prepared.root)
    (folder / "evaluation.json").write_text("{}")
    assert not done.is_whole(prepared.root)


def test_class_that_the_model_does_not_know_has_no_chance() -> None:
    """A release's further classes follow those of the model, which answers them with what stands for never."""
    names, indices = release.indexed(("dog", "cat"), np.array(["cat", "yak", "ant"]))
    assert (names, indices.tolist()) == (["dog", "cat", "ant", "yak"], [1, 3, 2])
    assert release.indexed(("dog",), np.array([], dtype=str))[1].dtype == np.int64
    wide = release.widened(np.array([[0.25, 0.75]]), len(names), 0.0)
    assert wide.tolist() == [[0.25, 0.75, 0.0, 0.0]]
    assert release.widened(np.array([[1.0, 2.0]]), 2, -np.inf).tolist() == [[1.0, 2.0]]
