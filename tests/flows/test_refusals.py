"""What stops a training flow before it trains."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from conftest import enter, make_images, make_project

from sightline import project
from sightline.data.versions import archive, history
from sightline.errors import DataError, ModelError, RegistryError, ValidationFailed
from sightline.models.weights import save_weights
from sightline.models.zoo import build
from sightline.tracking.runs import connect

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.mark.slow
def test_one_class_only_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A set of a single class cannot teach anything: the validation says so and nothing is trained."""
    images = make_images(tmp_path / "images")
    for name in ("blue", "green"):
        for path in (images / name).iterdir():
            path.unlink()
        (images / name).rmdir()
    paths = make_project(tmp_path / "one", images)
    for key, value in project.environment(paths.root).items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(paths.root)
    from flows.train import train

    with pytest.raises(ValidationFailed, match="class"):
        train()
    assert not paths.runs.exists()


def test_unknown_network_is_refused(toy: Paths) -> None:
    """A misspelt network gives the names that were meant; no version is registered."""
    from flows.train import train

    with pytest.raises(ModelError, match="resnet18"):
        train({"pretrain.network": "resnet1"})
    assert not any(toy.runs.glob("*/*/weights.safetensors"))


@pytest.mark.slow
def test_training_size_that_the_network_cannot_take_is_refused(toy: Paths) -> None:
    """Images trained at another size than stored must suit the network too: told with the recipe's stage."""
    from flows.train import train

    with pytest.raises(ModelError, match=r"vit_b_16.*8 px.*recipe of (pretrain|scratch)"):
        train({"pretrain.network": "vit_b_16", "pretrain.recipe.size": 8, "finetune.scratch.size": 8})
    assert not any(toy.runs.glob("*/*/weights.safetensors"))


@pytest.mark.slow
def test_source_that_holds_the_target_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same folder as target and source would teach the backbone the test images: told by path, nothing trained."""
    images = make_images(tmp_path / "images")
    paths = make_project(tmp_path / "same", images, images)
    for key, value in project.environment(paths.root).items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(paths.root)
    from flows.train import train

    with pytest.raises(DataError, match=r"from .* test, .* calib, .* images of the target.*\.png = source .*\.png"):
        train()
    assert not paths.runs.exists()
    assert (paths.reports / "leaks.html").is_file()


@pytest.mark.slow
def test_registered_weights_that_saw_the_target_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights that learned from held-out images are refused before training, though the present source is clean."""
    from flows.train import train

    images = make_images(tmp_path / "images")
    paths = enter(make_project(tmp_path / "same", images, images), monkeypatch)
    history.ingest(paths, "source")
    seen, tracker = archive.current(paths, "source"), connect(paths)
    (tmp_path / "weights").mkdir()
    save_weights(build("cnn", 3, 16), tmp_path / "weights")
    tags = {"data.source": seen.digest, "raw.source": str(seen.raw)}
    version = tracker.register_backbone(tracker.start("toy", {}), tmp_path / "weights", tags)
    shutil.rmtree(paths.raw("source"))
    make_images(paths.raw("source"), per_class=8, first=5000)
    with pytest.raises(DataError, match=rf"\.png = toy-backbone/{version} source .*begin with other weights"):
        train({"pretrain.init": "registry:toy-backbone/1"})
    assert not any(paths.runs.glob("*/*/weights.safetensors"))


@pytest.mark.slow
def test_release_that_lost_many_images_is_refused_before_training(toy: Paths) -> None:
    """Where too many test images were deleted, the run stops at once, with their paths and a remedy."""
    from flows.train import train
    from sightline.data.ingest import ingest
    from sightline.evaluate import release

    ingest(toy, "target")
    names = release.rows(toy, release.current(toy, "r1"))["path"].tolist()[::9]
    for name in names:
        (toy.raw("target") / name).unlink()
    with pytest.raises(DataError, match=r"of its .* images have left .*--set evaluate.release=NAME") as told:
        train()
    assert names[0] in str(told.value)
    assert not toy.runs.exists()


@pytest.mark.parametrize("name", ["ledger.db", "mlflow.db"])
def test_damaged_store_is_refused(toy: Paths, name: str) -> None:
    """A ledger or a registry that cannot be used is told before anything is trained, not after."""
    (toy.mlflow / name).write_bytes(b"SQLite format 3\0" + bytes(5000))
    from flows.train import train

    with pytest.raises(RegistryError, match=rf"{name} is damaged .*Put a copy of it back"):
        train()
    assert not toy.runs.exists()


@pytest.mark.parametrize(
    ("ledger", "told"), [("", "set SIGHTLINE_LEDGER_URI"), ("postgresql://a:b@127.0.0.1:1/c", "does not answer")]
)
def test_ledger_that_is_missing_is_told_before_anything_is_done(
    toy: Paths, monkeypatch: pytest.MonkeyPatch, ledger: str, told: str
) -> None:
    """Beside a server of MLflow's, the run ends before the images are read, and before MLflow is asked."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setenv("SIGHTLINE_LEDGER_URI", ledger)
    from flows.train import train

    with pytest.raises(RegistryError, match=told):
        train()
    assert not toy.manifest("target").exists()
