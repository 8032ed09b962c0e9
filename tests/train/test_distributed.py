"""Several processes: the same training as in one."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from conftest import on_the_cpu
from safetensors.torch import load_file

from sightline import config
from sightline.data.loader import Images
from sightline.data.shards import preprocess
from sightline.errors import ConfigError
from sightline.models.weights import WEIGHTS
from sightline.models.zoo import build
from sightline.project import Paths
from sightline.recipe import Recipe
from sightline.train import distributed, group, loop, stages, step
from sightline.train.batches import batch_of, class_weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from sightline.train.result import Trained

RECIPE = Recipe(
    epochs=2,
    steps=8,
    batch_size=17,
    accumulate=2,
    learning_rate=0.002,
    rotate=5,
    balance="sampling",
    ema=0.9,
    precision="fp32",
)
"""Parts of unequal sizes, and everything that could tell one process from another; a small rate and
few steps into the second pass, because steps magnify the rounding: where it decides which of two equal pixels a pooling
takes, gradients jump."""


@pytest.fixture(scope="module", autouse=True)
def _over_gloo() -> Iterator[None]:
    """Two processes would want two GPUs."""
    with on_the_cpu():
        yield


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, ingested_once: Paths) -> Paths:
    """A toy project with shards; each run in it has a folder of its own."""
    paths = Paths(shutil.copytree(ingested_once.root, tmp_path_factory.mktemp("several") / "toy", symlinks=True))
    preprocess(paths, "target")
    return paths


def train(paths: Paths, name: str, workers: int, recipe: Recipe = RECIPE) -> Trained:
    """From scratch, by the production stage."""
    folder = paths.runs / name
    folder.mkdir(parents=True, exist_ok=True)
    place = stages.Place(paths.root, folder, paths.shards("target"), lambda _: None, workers=workers)
    return stages.scratch(place, "cnn", recipe, 0)


def weights(paths: Paths, trained: Trained) -> dict[str, Tensor]:
    return load_file(paths.root / trained.path / WEIGHTS)


@pytest.mark.parametrize("changes", [{}, {"accumulate": 3}, {"accumulate": 2, "mixup": 0.2}, {"trivial": True}])
def test_processes_divide_a_batch(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]) -> None:
    """What two processes make of a batch, put together, is what one makes of it; each is told all targets."""
    pixels = torch.randint(0, 256, (20, 3, 12, 12), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    images = Images(pixels.contiguous(memory_format=torch.channels_last), torch.arange(20) % 3, ("a", "b", "c"))
    recipe, rows = replace(Recipe(epochs=1, erase=0.5), **changes), torch.arange(19, 2, -1)

    whole, targets = batch_of(images, rows, recipe, torch.Generator().manual_seed(1))
    together = torch.full_like(whole, torch.nan)
    monkeypatch.setattr(group, "members", lambda: 2)
    for number in range(2):
        monkeypatch.setattr(group, "number", lambda number=number: number)
        part, told = batch_of(images, rows, recipe, torch.Generator().manual_seed(1))
        together[group.share_of(torch.arange(17), recipe.accumulate)] = part
        assert torch.equal(told, targets)
        assert len(part) < 10
    assert torch.allclose(together, whole, atol=1e-5)


@pytest.fixture(scope="module")
def pair(project: Paths) -> Trained:
    """What two processes train together."""
    return train(project, "pair", 2)


@pytest.mark.slow
def test_two_processes_train_as_one(project: Paths, pair: Trained) -> None:
    """Weights, losses and validation figures are those of one process within rounding, batch statistics included."""
    alone = train(project, "alone", 1)
    one, two = weights(project, alone), weights(project, pair)
    assert all(torch.allclose(one[name].float(), two[name].float(), rtol=1e-3, atol=1e-4) for name in one)
    for row, other in zip(alone.history, pair.history, strict=True):
        assert row["train_loss"] == pytest.approx(other["train_loss"], abs=1e-4)
        assert row["val_loss"] == pytest.approx(other["val_loss"], abs=1e-3)
        assert row["val_accuracy"] == other["val_accuracy"]


GRADIENTS = """
import sys
from dataclasses import replace
import torch
from test_distributed import WEIGHED, gradients
from sightline.train import group
torch.set_num_threads(1)
with group.join():
    found = [gradients(replace(recipe, accumulate=4)) for recipe in WEIGHED]
    if group.number() == 0:
        torch.save(found, sys.argv[1])
"""
PLAIN = Recipe(epochs=1, balance="weights", label_smoothing=0.1, freeze_statistics=True, precision="fp32")
WEIGHED = [PLAIN, replace(PLAIN, mixup=0.4), replace(PLAIN, cutmix=1.0)]


def gradients(recipe: Recipe) -> dict[str, Tensor]:
    """Of one step on a batch of 18 images, of which three are of the rare class."""
    images = Images(
        torch.randint(0, 256, (18, 3, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8),
        (torch.arange(18) % 7 == 6).long() + (torch.arange(18) == 0).long(),
        ("common", "rare"),
    )
    torch.manual_seed(0)
    state = loop.begin(build("cnn", 2, 16), recipe)
    state.model.eval()
    batch, targets = batch_of(images, torch.arange(18), recipe, torch.Generator().manual_seed(1))
    step.learn(state, batch, targets, recipe, class_weights(images))
    return {name: parameter.grad for name, parameter in state.model.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize("number", range(len(WEIGHED)))
def test_parts_weigh_by_the_classes_of_the_whole_batch(in_two: list[dict[str, Tensor]], number: int) -> None:
    """With class weights, four parts give the gradient of the whole batch, in one process and in two."""
    whole = gradients(WEIGHED[number])
    for parts in (gradients(replace(WEIGHED[number], accumulate=4)), in_two[number]):
        assert parts.keys() == whole.keys()
        assert all(torch.allclose(parts[name], whole[name], rtol=1e-4, atol=1e-6) for name in whole)


@pytest.fixture(scope="module")
def in_two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Tensor]]:
    """The gradients that two processes find, each in four parts."""
    folder = tmp_path_factory.mktemp("gradients")
    (folder / "job.py").write_text(GRADIENTS)
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[1]), *sys.path])
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    subprocess.run(
        [*torchrun, str(folder / "job.py"), str(folder / "found.pt")],
        env={**os.environ, "PYTHONPATH": path},
        check=True,
        timeout=240,
    )
    found: list[dict[str, Tensor]] = torch.load(folder / "found.pt", weights_only=True)
    return found


DYING = """
import os, pathlib, signal, sys
from sightline.train import stages
from test_distributed import RECIPE
root, folder, shards = map(pathlib.Path, sys.argv[1:])
place = stages.Place(root, folder, shards, lambda _: os.kill(os.getpid(), signal.SIGKILL), workers=2)
stages.scratch(place, "cnn", RECIPE, 0)
"""


@pytest.mark.slow
def test_killed_processes_are_taken_up(project: Paths, pair: Trained) -> None:
    """After kill -9 of the stage its processes end too, and a rerun ends with the weights of an undisturbed run."""
    folder = project.runs / "killed"
    folder.mkdir(parents=True)
    path = os.pathsep.join(
        [str(Path(__file__).parent), str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    )
    words = [str(project.root), str(folder), str(project.shards("target"))]
    command = [sys.executable, "-c", DYING, *words]
    # Its processes hold the pipe of the errors open: the call returns when the last of them is gone.
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.PIPE, timeout=240, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert (folder / "checkpoint.pt").is_file()
    assert train(project, "killed", 2).weights == pair.weights


def test_too_small_batches_are_refused(project: Paths) -> None:
    """Where a process would get no image, the message says what to raise."""
    with pytest.raises(ConfigError, match="raise batch_size"):
        train(project, "refused", 9)


def test_what_cannot_be_given_each_process_is_told_ahead(toy: Paths) -> None:
    """More processes than processors, or than a recipe's batches have images for, stop a run before it begins."""
    cores = len(os.sched_getaffinity(0))
    distributed.check_ahead(config.load(toy.root))
    with pytest.raises(ConfigError, match=rf"workers = {cores + 1}: this machine has {cores} .*give {cores} at most"):
        distributed.check_ahead(config.load(toy.root, {"train.workers": cores + 1}))
    if cores > 1:
        small = {"train.workers": 2, "finetune.scratch.batch_size": 1}
        with pytest.raises(ConfigError, match=r"batches of 1 .*raise batch_size"):
            distributed.check_ahead(config.load(toy.root, small))
