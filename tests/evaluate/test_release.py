"""The test images: one door, one list."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sightline.data import manifest
from sightline.data.ingest import ingest
from sightline.data.loader import load
from sightline.data.shards import preprocess
from sightline.data.versions import history
from sightline.errors import DataError
from sightline.evaluate import fixed, leaving, release
from sightline.evaluate.evaluation import evaluate
from sightline.evaluate.robustness import GATE
from sightline.heads.known import ONE
from sightline.heads.shares import widened
from sightline.models.bundle import Card
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
    with pytest.raises(DataError, match="test-"):
        evaluate(prepared, folder, plain, Evaluate())


def test_loader_refuses_the_test_role(prepared: Paths) -> None:
    """Whoever asks the loader for the test images is sent away."""
    with pytest.raises(PermissionError, match="evaluation alone"):
        load(prepared.shards("target"), "test")


def more_images(paths: Paths, per_class: int, first: int) -> None:
    from conftest import make_images

    make_images(paths.raw("target"), per_class=per_class, first=first)
    ingest(paths, "target")
    preprocess(paths, "target")


def test_release_is_fixed_at_first_use(prepared: Paths) -> None:
    """A few new test images do not join a release that was used already."""
    first = release.current(prepared, "r1")
    more_images(prepared, 3, 500)
    assert release.current(prepared, "r1") == first
    assert 0 < release.waiting(prepared, first) < release.GROWTH * len(first.images)


def test_release_grows_once_enough_has_come(prepared: Paths) -> None:
    """The next one has the old images in their order and the new ones as new part; both stay as they are."""
    first = release.current(prepared, "r1")
    more_images(prepared, 40, 500)
    grown = release.current(prepared, "r1")
    assert (grown.name, grown.images[: len(first.images)]) == ("r1+1", first.images)
    assert grown.new == set(grown.images) - set(first.images)
    assert len(grown.new) >= release.GROWTH * len(first.images)
    assert release.current(prepared, "r1") == release.current(prepared, "r1+1") == grown
    assert release.waiting(prepared, grown) == 0
    more_images(prepared, 60, 900)
    again = release.current(prepared, "r1")
    assert (again.name, again.images[: len(grown.images)]) == ("r1+2", grown.images)
    assert release.current(prepared, "r1+1") == grown
    assert [one.name for one in release.known(prepared)] == ["r1", "r1+1", "r1+2"]


def test_release_that_has_grown_is_not_the_one_that_was_compared_on(prepared: Paths) -> None:
    """However often it had grown before."""
    held = [release.current(prepared, "r1")]
    for time in range(2):
        assert all(release.stands(prepared, held[-1].name, held[-1].digest) for _ in range(2))
        more_images(prepared, 12, 500 + 100 * time)
        assert not release.stands(prepared, held[-1].name, held[-1].digest)
        held.append(release.current(prepared, "r1"))
    assert [one.name for one in held] == ["r1", "r1+1", "r1+2"]


def test_copies_in_the_test_role_count_once(prepared: Paths) -> None:
    """The same bytes under two names are one image of a release; images of a group are told by number."""
    (name,) = manifest.read(prepared.manifest("target")).query("role == 'test'")["path"].head(1)
    folder = prepared.raw("target")
    (folder / name).with_name("copy.png").write_bytes((folder / name).read_bytes())
    ingest(prepared, "target")
    rows = manifest.read(prepared.manifest("target")).query("role == 'test' and status == 'ok'")
    made = release.current(prepared, "r1")
    assert len(rows) == len(set(made.images)) + 1 == len(made.images) + 1
    assert len(set(release.groups(prepared, made).tolist())) == len(made.images)


def test_release_of_another_name_tells_its_new_part(prepared: Paths) -> None:
    """A release that a user names has as new part what stood in none before."""
    first = release.current(prepared, "r1")
    more_images(prepared, 40, 500)
    second = release.make(prepared, "r2")
    assert release.current(prepared, "r2") == second
    assert len(second.images) > len(first.images)
    assert second.new == set(second.images) - set(first.images)
    assert second.is_new.sum() == len(second.images) - len(first.images)
    assert not first.is_new.any()
    images, names = release.open_images(prepared, first)
    labels = [images.classes[label] for label in images.labels.tolist()]
    assert labels == [name.split("/")[0] for name in names] == release.labels(prepared, first).tolist()


def test_slip_of_the_pen_makes_no_release(prepared: Paths) -> None:
    """A name that no release has is told with those that there are; a new release is asked for by its own words."""
    release.current(prepared, "r1")
    with pytest.raises(DataError, match=r"'r11' \(did you mean r1\?\): .* are r1; .*`sightline data release r11`"):
        release.current(prepared, "r11")
    for name, why in (("r1", "already"), ("r1+1", "without \\+"), ("a/b", "part of paths")):
        with pytest.raises(DataError, match=why):
            release.make(prepared, name)
    assert fixed.names(prepared) == {"r1"}


def test_release_goes_on_without_an_image_that_left(prepared: Paths) -> None:
    """One deleted photo of a release is left out of what is evaluated, and its path is known."""
    first = release.current(prepared, "r1")
    _, names = release.open_images(prepared, first)
    (prepared.raw("target") / names[0]).unlink()
    ingest(prepared, "target")
    preprocess(prepared, "target")
    rest = release.current(prepared, "r1")
    assert rest.images == first.images[1:]
    assert rest.left == first.images[:1]
    assert rest.digest != first.digest
    assert release.listed(prepared, rest) == first
    assert leaving.where_were(prepared, "r1", rest.left) == names[:1]
    assert release.open_images(prepared, rest)[1] == names[1:]


def test_release_that_was_changed_is_refused(prepared: Paths) -> None:
    """A list cut by hand, another release's file and half a file are told before anything is scored."""
    release.current(prepared, "r1")
    release.make(prepared, "r2")
    folder = prepared.root / "data" / "releases"
    file = folder / "r1.json"
    whole = file.read_text(encoding="utf-8")
    values = json.loads(whole)
    cut = json.dumps({**values, "images": values["images"][:5]})
    unsealed = json.dumps({name: value for name, value in json.loads(cut).items() if name != "digest"})
    for damage in (cut, unsealed, whole[:100], whole.replace("a", "b", 1), (folder / "r2.json").read_text()):
        file.write_text(damage, encoding="utf-8")
        with pytest.raises(DataError, match=r"r1.json .*fixed for ever.*git checkout"):
            release.current(prepared, "r1")
    assert release.make(prepared, "r3").images == release.current(prepared, "r2").images
    file.write_text(whole, encoding="utf-8")
    assert len(release.current(prepared, "r1").images) == len(values["images"])


def test_release_from_before_is_sealed(prepared: Paths) -> None:
    """One without a digest is taken as it is, once: from then on a change shows."""
    first = release.current(prepared, "r1")
    file = prepared.root / "data" / "releases" / "r1.json"
    values = json.loads(file.read_text(encoding="utf-8"))
    old = {name: value for name, value in values.items() if name != "digest"}
    file.write_text(json.dumps(old, indent=0), encoding="utf-8")
    assert release.current(prepared, "r1") == first
    assert json.loads(file.read_text(encoding="utf-8")) == values


def test_release_that_lost_many_images_is_refused(prepared: Paths) -> None:
    """Below the share that must be there nothing is scored: paths and a remedy are named, and no bare digest."""
    first = release.current(prepared, "r1")
    _, names = release.open_images(prepared, first)
    for name in names[:8]:
        (prepared.raw("target") / name).unlink()
    ingest(prepared, "target")
    with pytest.raises(DataError, match=r"8 of its .* left the test role.*--set evaluate.release") as told:
        release.current(prepared, "r1")
    assert names[0] in str(told.value)
    assert "3 more" in str(told.value)
    assert not re.search("[0-9a-f]{12}", str(told.value))


def test_path_of_an_image_that_left_comes_from_the_log(ingested: Paths) -> None:
    """A release made before paths were kept with it finds them in the earlier versions of the data."""
    first = release.current(ingested, "r1")
    path = ingested.root / "data" / "releases" / "r1.json"
    values = json.loads(path.read_text(encoding="utf-8"))
    name = values.pop("paths")[first.images[0]]
    del values["digest"]
    path.write_text(json.dumps(values), encoding="utf-8")
    (ingested.raw("target") / name).unlink()
    history.ingest(ingested, "target")
    assert leaving.where_were(ingested, "r1", first.images[:1]) == [name]


def test_evaluation_has_every_figure(prepared: Paths) -> None:
    """Report, calibration, slices, robustness and cost stand in the figures; the files are whole until touched."""
    plain = stages.scratch(place(prepared, "scratch"), "cnn", Recipe(epochs=8, batch_size=32), 0)
    folder = prepared.runs / "evaluation"
    folder.mkdir()
    done = evaluate(prepared, folder, plain, Evaluate(wanted_accuracy=0.9), (plain,))
    figures = done.figures(prepared.root)
    with np.load(prepared.root / done.path / "predictions.npz") as arrays:
        right = arrays["probabilities"].argmax(axis=1) == arrays["labels"]
    assert figures["accuracy"] == pytest.approx(right.mean())
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
    card = Card("cnn", 8, ("dog", "cat"), 1.0, "")
    names, indices = ONE.indexed(card, np.array(["cat", "yak", "ant"]))
    assert (names, indices.tolist()) == (["dog", "cat", "ant", "yak"], [1, 3, 2])
    assert ONE.indexed(card, np.array([], dtype=str))[1].dtype == np.int64
    wide = widened(np.array([[0.25, 0.75]]), len(names), 0.0)
    assert wide.tolist() == [[0.25, 0.75, 0.0, 0.0]]
    assert widened(np.array([[1.0, 2.0]]), 2, -np.inf).tolist() == [[1.0, 2.0]]
