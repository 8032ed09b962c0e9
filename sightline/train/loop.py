"""The training loop: one for pretraining and fine-tuning.

Every random choice of step s is drawn from a generator seeded with (seed, s). So nothing random has to be saved: the
`State` is all there is, and a run resumed at any step goes on exactly as an undisturbed one.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sightline.data.loader import Stored
from sightline.train import group, optim
from sightline.train.ahead import ahead
from sightline.train.augment import augment
from sightline.train.checkpoint import Checkpoint, Epoch, State
from sightline.train.draws import Draws
from sightline.train.inference import best_device, precision
from sightline.train.memory import keep_freed
from sightline.train.mixing import mix
from sightline.train.schedule import Schedule, plan, rate_at
from sightline.train.zoom import needed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sightline.data.loader import Images
    from sightline.train.recipe import Recipe

REPORTS = 30
"""A run is scored, saved and told about so often at most: the many short passes over a tiny set go together."""
PATIENCE = 10.0
"""Seconds after which a long pass tells how far it is."""
READERS = 8
"""Threads that make batches ahead, at most; no more than torch computes with."""
WRITING = 0.05
"""Largest share of the time that goes into checkpoints inside a pass."""


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What is told inside a long pass."""

    step: int
    steps: int
    epoch: int
    epochs: int
    train_loss: float
    images_per_second: float


def quiet(_: Progress) -> None:
    """Tell nothing."""


def train(
    model: nn.Module,
    images: Images,
    val: Images,
    recipe: Recipe,
    seed: int,
    checkpoint: Checkpoint,
    on_epoch: Callable[[Epoch], None],
    on_progress: Callable[[Progress], None] = quiet,
) -> list[Epoch]:
    """Train `model` in place and return its history; goes on from `checkpoint` where that holds a state.

    `on_epoch` is called after each pass, or each few of them where they are many, `on_progress` inside long ones. The
    model ends in evaluation mode, with the averaged weights (`ema`) or the best ones (`patience`) where asked for.
    """
    threads = torch.get_num_threads()
    schedule = plan(recipe, len(images))
    state = begin(model, recipe)
    saved = checkpoint.load()
    if saved is not None:
        state.restore(saved)
    try:
        with reader(images, recipe, schedule, seed) as read:
            _run(state, images, read, val, recipe, schedule, seed, checkpoint, on_epoch, on_progress)
    finally:
        torch.set_num_threads(threads)
    model.load_state_dict(state.best if state.best is not None else state.answering.state_dict())
    model.eval()
    return state.history


def begin(model: nn.Module, recipe: Recipe) -> State:
    """The state before the first step, `model` on the best device in the layout that its convolutions want."""
    device = best_device()
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = optim.moving_average(model, recipe.ema) if recipe.ema else None
    scaler = torch.amp.GradScaler(device.type, enabled=precision(device, recipe) == torch.float16)
    return State(model, optim.build(model, recipe), scaler, average, torch.zeros((), device=device))


def kept(history: list[Epoch], recipe: Recipe) -> Epoch:
    """The report whose weights the model carries: the best where the run may stop early, else the last."""
    return max(history, key=lambda epoch: epoch.rank) if recipe.patience else history[-1]


def _run(
    state: State,
    images: Images,
    read: Callable[[int], tuple[Tensor, Tensor]],
    val: Images,
    recipe: Recipe,
    schedule: Schedule,
    seed: int,
    checkpoint: Checkpoint,
    on_epoch: Callable[[Epoch], None],
    on_progress: Callable[[Progress], None],
) -> None:
    stride = schedule.steps_per_epoch * -(-schedule.epochs // REPORTS)
    weights = class_weights(images) if recipe.balance == "weights" else None
    watch = _Watch(state.step)
    learning = False
    while state.step < schedule.steps and not _waited_enough(state, recipe):
        epoch, number = divmod(state.step, schedule.steps_per_epoch)
        if number == 0 or not learning:
            _set_modes(state.model, recipe)
            learning = True
        optim.set_rate(state.optimiser, recipe, *rate_at(state.step, schedule.steps, recipe))
        began = time.perf_counter()
        batch, targets = read(state.step)
        watch.data += time.perf_counter() - began
        # Dropout draws from the global state, so that is tied to the step as well, and differs between processes.
        torch.manual_seed(generator_for(seed, epoch, number).initial_seed() + group.number())
        state.loss += learn(state, batch, targets, recipe, weights)
        state.step += 1
        if state.step % stride == 0 or state.step == schedule.steps:
            _report(state, val, recipe, schedule, watch)
            if state.step < schedule.steps:
                checkpoint.save(state.values())
            on_epoch(state.history[-1])
            watch, learning = _Watch(state.step), False
            continue
        now = time.perf_counter()
        if now - watch.saved > max(checkpoint.every, watch.cost / WRITING):
            checkpoint.save(state.values())
            watch.saved = time.perf_counter()
            watch.cost = watch.saved - now
        if now - watch.told > PATIENCE:
            on_progress(_progress(state, schedule, watch))
            watch.told = now


class _Watch:
    """The clocks of one stretch between two reports: what they show is told, and decides nothing that is learned."""

    def __init__(self, step: int) -> None:
        self.first = step
        self.started = self.saved = self.told = time.perf_counter()
        self.data = self.cost = 0.0


def batch_of(images: Images, rows: Tensor, recipe: Recipe, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """This process's share (n, 3, H, W) of the images of a batch, augmented, and the targets of the whole batch.

    Targets are classes (N,) or shares of them (N, classes); all is on the best device.
    """
    pixels = images.take(_read(rows, recipe), needed(recipe, images.pixels.shape[2]))
    return _changed(pixels, images.labels[rows], len(images.classes), recipe, generator)


def _read(rows: Tensor, recipe: Recipe) -> Tensor:
    """What this process reads of the rows of a batch: all, where images are mixed with one another."""
    return rows if recipe.mixes else group.share_of(rows, recipe.accumulate)


def _changed(
    pixels: Tensor, labels: Tensor, classes: int, recipe: Recipe, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    device, places = best_device(), torch.arange(len(labels))
    draws = Draws(generator, len(labels), _read(places, recipe))
    batch = augment(pixels.to(device, non_blocking=True), recipe, draws)
    targets = labels.to(device, non_blocking=True)
    if recipe.mixes:
        batch, targets = mix(batch, targets, classes, recipe, generator)
        if group.members() > 1:
            batch = batch[group.share_of(places, recipe.accumulate).to(device)]
    return batch, targets


@contextmanager
def reader(
    images: Images, recipe: Recipe, schedule: Schedule, seed: int
) -> Iterator[Callable[[int], tuple[Tensor, Tensor]]]:
    """What gives the batch of a step, made ahead where that takes no time from the network.

    On a GPU the pixels are read ahead, and changed there; on the CPU images on the disk are changed ahead too.
    """
    side, readers = needed(recipe, images.pixels.shape[2]), min(torch.get_num_threads(), READERS)

    @lru_cache(maxsize=2)
    def order(epoch: int) -> Tensor:
        return order_of(images, recipe, generator_for(seed, epoch, -1))

    def rows(step: int) -> Tensor:
        epoch, number = divmod(step, schedule.steps_per_epoch)
        return order(epoch)[number * schedule.batch : (number + 1) * schedule.batch]

    def generator(step: int) -> torch.Generator:
        return generator_for(seed, *divmod(step, schedule.steps_per_epoch))

    def pinned(step: int) -> tuple[Tensor, Tensor]:
        return images.take(_read(rows(step), recipe), side).pin_memory(), images.labels[rows(step)].pin_memory()

    def whole(step: int) -> tuple[Tensor, Tensor]:
        return batch_of(images, rows(step), recipe, generator(step))

    if best_device().type == "cuda":
        with ahead(pinned, schedule.steps, readers) as take:
            yield lambda step: _changed(*take(step), len(images.classes), recipe, generator(step))
    elif isinstance(images.pixels, Stored):
        keep_freed()
        with ahead(whole, schedule.steps, readers) as take:
            yield take
    else:
        # From memory to the CPU there is nothing to wait for, only cores to quarrel over.
        yield whole


def learn(state: State, batch: Tensor, targets: Tensor, recipe: Recipe, weights: Tensor | None) -> Tensor:
    """One step in `accumulate` parts on this process's share of a batch; the mean loss over the whole batch.

    `batch` and `targets` are as from `batch_of`.
    """
    total = torch.zeros((), device=batch.device)
    dtype = precision(batch.device, recipe)
    state.model.zero_grad(set_to_none=True)
    parts = targets.chunk(recipe.accumulate)
    shares = [group.part(wanted) for wanted in parts]
    for images, mine, wanted in zip(batch.split([len(one) for one in shares]), shares, parts, strict=True):
        with torch.autocast(batch.device.type, dtype=dtype, enabled=dtype != torch.float32):
            logits = state.learning(images)
        loss = F.cross_entropy(logits.float(), mine, weight=weights, label_smoothing=recipe.label_smoothing)
        share = len(wanted) / len(targets) * group.weight_of(mine, weights) / group.weight_of(wanted, weights)
        # The mean over the processes is taken where the sum is meant.
        state.scaler.scale(loss * share * group.members()).backward()
        total += loss.detach() * share
    state.scaler.step(state.optimiser)
    state.scaler.update()
    if state.average is not None:
        state.average.update_parameters(state.model)
    return group.summed(total)


def order_of(images: Images, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """The images of a pass in their order; balanced sampling draws with replacement, each class equally often."""
    if recipe.balance != "sampling":
        return torch.randperm(len(images), generator=generator)
    chances = class_weights(images).cpu().double()[images.labels]
    return torch.multinomial(chances, len(images), replacement=True, generator=generator)


def class_weights(images: Images) -> Tensor:
    """Weight of each class, the inverse of its share of the images, scaled so that an image weighs 1 on average."""
    counts = torch.bincount(images.labels, minlength=len(images.classes))
    there = int((counts > 0).sum())
    return (len(images) / (there * counts.clamp(min=1))).float().to(best_device())


def _report(state: State, val: Images, recipe: Recipe, schedule: Schedule, watch: _Watch) -> None:
    steps = state.step - state.reported
    loss = float(state.loss) / steps
    trained = time.perf_counter()
    val_loss, accuracy = group.score(state.answering, val)
    here = state.step - watch.first
    passes = max(1, round(here / schedule.steps_per_epoch))
    row = Epoch(
        epoch=-(-state.step // schedule.steps_per_epoch),
        epochs=schedule.epochs,
        step=state.step,
        train_loss=loss,
        val_loss=val_loss,
        val_accuracy=accuracy,
        images_per_second=here * schedule.batch / (trained - watch.started),
        data_share=watch.data / (trained - watch.started),
        seconds=(time.perf_counter() - watch.started) / passes,
    )
    if recipe.patience and all(row.rank > one.rank for one in state.history):
        state.best = {name: value.cpu().clone() for name, value in state.answering.state_dict().items()}
    state.history.append(row)
    state.reported = state.step
    state.loss.zero_()


def _waited_enough(state: State, recipe: Recipe) -> bool:
    """Whether the last `patience` reports brought nothing better."""
    if not recipe.patience or not state.history:
        return False
    return len(state.history) - 1 - state.history.index(kept(state.history, recipe)) >= recipe.patience


def _progress(state: State, schedule: Schedule, watch: _Watch) -> Progress:
    return Progress(
        step=state.step,
        steps=schedule.steps,
        epoch=state.step // schedule.steps_per_epoch + 1,
        epochs=schedule.epochs,
        train_loss=float(state.loss) / (state.step - state.reported),
        images_per_second=(state.step - watch.first) * schedule.batch / (time.perf_counter() - watch.started),
    )


def _set_modes(model: nn.Module, recipe: Recipe) -> None:
    """Training mode, but for the parts that stay as they are."""
    model.train()
    normalising = nn.modules.batchnorm._BatchNorm  # noqa: SLF001 — the base of all of them has no public name
    for part in model.modules():
        if recipe.freeze_statistics and isinstance(part, normalising):
            part.eval()
    if recipe.freeze_backbone:
        model.get_submodule("backbone").eval()


def generator_for(seed: int, epoch: int, number: int) -> torch.Generator:
    """The generator of one step: the same for the same run, epoch and number in it."""
    # Three odd constants keep neighbouring steps, epochs and seeds apart.
    mixed = (seed * 0x9E3779B97F4A7C15 + epoch * 0xBF58476D1CE4E5B9 + (number + 2) * 0x94D049BB133111EB) % 2**63
    return torch.Generator().manual_seed(mixed)
