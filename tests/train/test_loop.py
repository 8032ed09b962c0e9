"""The loop: exact resume, exact repetition, and learning at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from sightline.data.loader import Compressed, Images, Mapped
from sightline.images import jpeg
from sightline.models.device import exact, repeatable
from sightline.models.zoo import build
from sightline.recipe import Recipe
from sightline.train import batches, loop
from sightline.train.checkpoint import Checkpoint
from sightline.train.inference import scored
from sightline.train.loop import train

if TYPE_CHECKING:
    from collections.abc import Iterator

RECIPE = Recipe(epochs=4, batch_size=8, learning_rate=0.05, rotate=5, scale=0.1)
EVERYTHING = Recipe(
    epochs=4,
    batch_size=8,
    accumulate=2,
    optimiser="adamw",
    schedule="one_cycle",
    learning_rate=0.005,
    first_layer_rate=0.1,
    trivial=True,
    erase=0.5,
    mixup=0.4,
    cutmix=1.0,
    balance="sampling",
    ema=0.9,
    patience=3,
    clip=0.5,
)


def toys(count: int = 32, bright: int = 2) -> Images:
    """One image in `bright` is bright."""
    generator = torch.Generator().manual_seed(1)
    labels = (torch.arange(count) % bright == 1).long()
    noise = torch.randint(0, 100, (count, 3, 16, 16), generator=generator)
    return Images((noise + labels.view(-1, 1, 1, 1) * 100).to(torch.uint8), labels, ("dark", "bright"))


@pytest.fixture(autouse=True)
def _always_time_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after each step, however short the steps of toys are."""
    monkeypatch.setattr(loop, "WRITING", 1e9)


@pytest.fixture(autouse=True)
def _same_bits_on_a_gpu() -> Iterator[None]:
    """What is true of a CPU anyway, and of a GPU with `project.deterministic`."""
    with repeatable(torch.cuda.is_available()):
        yield


class Dying(Checkpoint):
    """Dies as soon as the state of step `last` is written."""

    last = 11

    def save(self, values: dict[str, Any]) -> None:
        """Write, and die where it is time."""
        super().save(values)
        if values["step"] == self.last:
            raise KeyboardInterrupt


def shards(folder: Path, store: str) -> Images:
    """The toys on the disk, in shards of ten."""
    images = toys()
    pixels = images.pixels[:].permute(0, 2, 3, 1).numpy()
    folder.mkdir()
    paths = []
    for number, part in enumerate(np.split(pixels, [10, 20, 30])):
        paths.append(folder / f"train-{number:05d}.npy")
        files = [jpeg.encode(image, 90) for image in part]
        np.save(paths[-1], part if store == "raw" else np.concatenate(files))
        np.save(jpeg.offsets_of(paths[-1]), np.cumsum([0, *map(len, files)]))
    kind = Mapped if store == "raw" else Compressed
    return replace(images, pixels=kind(paths, 16))


def trained(
    path: Path, images: Images, recipe: Recipe, *, dies: bool = False, network: str = "cnn"
) -> dict[str, torch.Tensor]:
    """The weights after training on `images`; where it `dies`, that is in the midst of a pass, and another goes on."""
    torch.manual_seed(0)
    model = build(network, 2, 16)
    if dies:
        with pytest.raises(KeyboardInterrupt):
            train(model, images, toys(8), recipe, 3, Dying(path, every=0), lambda _: None)
        torch.manual_seed(99)
        model = build(network, 2, 16)
    train(model, images, toys(8), recipe, 3, Checkpoint(path), lambda _: None)
    return model.cpu().state_dict()


def weights_after(
    path: Path, recipe: Recipe = RECIPE, *, dies: bool = False, network: str = "cnn"
) -> dict[str, torch.Tensor]:
    """The weights after training on the toys in memory."""
    return trained(path, toys(), recipe, dies=dies, network=network)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("network", "recipe"),
    [
        pytest.param("cnn", RECIPE, marks=pytest.mark.slow),
        pytest.param("mobilenet_v3_small", RECIPE, marks=pytest.mark.slow),
        ("cnn", EVERYTHING),
    ],
)
def test_resumed_run_equals_undisturbed_run(tmp_path: Path, network: str, recipe: Recipe) -> None:
    """A run that died within a pass and went on ends with the same weights bit for bit, dropout included."""
    undisturbed = weights_after(tmp_path / "a.pt", recipe, network=network)
    resumed = weights_after(tmp_path / "b.pt", recipe, dies=True, network=network)
    assert same(undisturbed, resumed)


@pytest.mark.parametrize("store", ["raw", "jpeg"])
def test_streamed_run_resumes_as_one_from_memory(tmp_path: Path, store: str) -> None:
    """From the disk, read ahead, killed within a pass and resumed: the same weights; from pixels those of memory."""
    streamed, held = shards(tmp_path / "shards", store), toys()
    recipe = replace(EVERYTHING, zoom=0.3, size=12)
    undisturbed = trained(tmp_path / "a.pt", streamed, recipe)
    resumed = trained(tmp_path / "b.pt", streamed, recipe, dies=True)
    assert same(undisturbed, resumed)
    if store == "raw":
        assert same(undisturbed, trained(tmp_path / "c.pt", held, recipe))


KILLED = """
import os, pathlib, signal, torch
from test_loop import EVERYTHING, Dying, build, loop, repeatable, toys, train
class Killed(Dying):
    def save(self, values):
        try:
            super().save(values)
        except KeyboardInterrupt:
            os.kill(os.getpid(), signal.SIGKILL)
loop.WRITING = 1e9
torch.manual_seed(0)
with repeatable(torch.cuda.is_available()):
    train(build("cnn", 2, 16), toys(), toys(8), EVERYTHING, 3, Killed(pathlib.Path("c.pt"), every=0), lambda _: None)
"""


def test_killed_process_is_taken_up(tmp_path: Path) -> None:
    """After kill -9 another process ends with the weights of an undisturbed one."""
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", KILLED], cwd=tmp_path, env={**os.environ, "PYTHONPATH": path}, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert same(weights_after(tmp_path / "c.pt", EVERYTHING), weights_after(tmp_path / "a.pt", EVERYTHING))


def test_checkpoint_brings_its_thread_count(tmp_path: Path) -> None:
    """A resumed run computes with the threads it began with, and gives the process its own back."""
    before = torch.get_num_threads()
    seen = []
    torch.set_num_threads(2)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(build("cnn", 2, 16), toys(), toys(8), RECIPE, 3, Dying(tmp_path / "c.pt", 0), lambda _: None)
        torch.set_num_threads(1)
        checkpoint = Checkpoint(tmp_path / "c.pt")
        train(
            build("cnn", 2, 16), toys(), toys(8), RECIPE, 3, checkpoint, lambda _: seen.append(torch.get_num_threads())
        )
        assert (set(seen), torch.get_num_threads()) == ({2}, 1)
    finally:
        torch.set_num_threads(before)


def test_same_seed_gives_same_weights(tmp_path: Path) -> None:
    """Two runs with the same seed agree bit for bit."""
    assert same(weights_after(tmp_path / "a.pt"), weights_after(tmp_path / "b.pt"))


def test_loop_learns(tmp_path: Path) -> None:
    """Images that differ in brightness are told apart after a few passes."""
    torch.manual_seed(0)
    history = train(build("cnn", 2, 16), toys(), toys(8), RECIPE, 0, Checkpoint(tmp_path / "c.pt"), lambda _: None)
    assert history[-1].val_accuracy == 1.0
    assert history[-1].train_loss < history[0].train_loss


def test_frozen_backbone_keeps_its_weights(tmp_path: Path) -> None:
    """With a frozen backbone the head alone changes, its normalisation statistics included."""
    torch.manual_seed(0)
    model = build("cnn", 2, 16)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    recipe = Recipe(epochs=1, batch_size=8, freeze_backbone=True)
    train(model, toys(), toys(8), recipe, 0, Checkpoint(tmp_path / "c.pt"), lambda _: None)
    changed = {name for name, value in model.cpu().state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"head.weight", "head.bias"}


def test_parts_of_a_batch_give_its_gradient(tmp_path: Path) -> None:
    """A batch computed in parts teaches what it teaches as a whole, but for the statistics of normalisation."""
    whole = Recipe(epochs=2, batch_size=8, freeze_statistics=True, precision="fp32")
    with exact():
        one = weights_after(tmp_path / "a.pt", whole)
        other = weights_after(tmp_path / "b.pt", replace(whole, accumulate=4))
    assert all(torch.allclose(one[name], other[name], atol=1e-4) for name in one)


def test_balanced_sampling_draws_classes_equally() -> None:
    """Where one image in eight is bright, half of those drawn are."""
    images = toys(800, bright=8)
    order = batches.order_of(images, Recipe(epochs=1, balance="sampling"), torch.Generator().manual_seed(0))
    assert images.labels[order].float().mean() == pytest.approx(0.5, abs=0.06)


def test_class_weights_even_out_classes() -> None:
    """The images of each class weigh the same together, and one image weighs 1 on average."""
    images = toys(800, bright=8)
    total = batches.class_weights(images).cpu() * torch.bincount(images.labels)
    assert total.tolist() == pytest.approx([400, 400])


def test_run_stops_where_validation_stops_to_improve(tmp_path: Path) -> None:
    """With patience a run that no longer gains ends early, and carries the weights of its best report."""
    recipe = Recipe(epochs=30, batch_size=8, learning_rate=1e-9, warmup=0, patience=2, freeze_statistics=True)
    torch.manual_seed(0)
    model = build("cnn", 2, 16)
    history = train(model, toys(), toys(8), recipe, 0, Checkpoint(tmp_path / "c.pt"), lambda _: None)
    assert len(history) < 30
    best = loop.kept(history, recipe)
    assert len(history) == history.index(best) + 3
    assert scored(model, toys(8)) == (best.val_loss, best.val_accuracy, best.val_fitted_loss)


def test_average_of_weights_is_the_model(tmp_path: Path) -> None:
    """With ema the model at the end is the average, which lags behind the last step."""
    last = weights_after(tmp_path / "a.pt", replace(RECIPE, ema=0.0))
    average = weights_after(tmp_path / "b.pt", replace(RECIPE, ema=0.9))
    assert not same(last, average)
    history = train(
        build("cnn", 2, 16), toys(), toys(8), replace(RECIPE, ema=0.9), 3, Checkpoint(tmp_path / "c.pt"), print
    )
    assert history[-1].val_accuracy == 1.0


def test_half_precision_learns_with_scaled_gradients(tmp_path: Path) -> None:
    """float16 trains too; its gradients are scaled so that small ones survive."""
    torch.manual_seed(0)
    recipe = replace(RECIPE, precision="fp16")
    history = train(build("cnn", 2, 16), toys(), toys(8), recipe, 0, Checkpoint(tmp_path / "c.pt"), lambda _: None)
    assert history[-1].train_loss < history[0].train_loss


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_long_gradient_is_shortened(tmp_path: Path, precision: Any) -> None:
    """A single step without momentum is as long as the rate times the clipped norm, scaled gradients or not."""
    torch.manual_seed(0)
    model = build("cnn", 2, 16)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    recipe = Recipe(
        epochs=1, batch_size=32, warmup=0, momentum=0, weight_decay=0, learning_rate=0.5, clip=0.01, precision=precision
    )
    train(model, toys(), toys(8), recipe, 0, Checkpoint(tmp_path / "c.pt"), lambda _: None)
    moved = torch.stack(
        [(value.detach() - before[name]).norm() for name, value in model.cpu().named_parameters()]
    ).norm()
    assert float(moved) == pytest.approx(0.5 * 0.01, rel=0.01)


def test_long_pass_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a pass the step, the loss so far and the speed are told."""
    monkeypatch.setattr(loop, "PATIENCE", 0.0)
    told: list[loop.Progress] = []
    recipe = Recipe(epochs=1, batch_size=8)
    train(build("cnn", 2, 16), toys(), toys(8), recipe, 0, Checkpoint(tmp_path / "c.pt"), lambda _: None, told.append)
    assert [one.step for one in told] == [1, 2, 3]
    assert told[0].steps == 4
    assert told[-1].images_per_second > 0


@pytest.mark.parametrize("harm", ["byte", "cut", "empty"])
def test_damaged_checkpoint_is_none(tmp_path: Path, harm: str) -> None:
    """The run begins anew instead of going on from something else, or never again."""
    checkpoint = Checkpoint(tmp_path / "c.pt")
    checkpoint.save({"step": 7, "weights": torch.arange(1000.0)})
    whole = checkpoint.path.read_bytes()
    assert checkpoint.load() is not None
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    checkpoint.path.write_bytes({"byte": flipped, "cut": whole[:middle], "empty": b""}[harm])
    assert checkpoint.load() is None
