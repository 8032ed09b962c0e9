"""The training loop: one for pretraining and fine-tuning.

Every random choice of step s is drawn from a generator seeded with (seed, s). So nothing random has to be saved: the
`State` is all there is, and a run resumed at any step goes on exactly as an undisturbed one.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from sightline.heads.known import of
from sightline.models.device import best_device, precision
from sightline.train import group, optim
from sightline.train.batches import class_weights, generator_for, reader
from sightline.train.checkpoint import Checkpoint, Epoch, State
from sightline.train.memory import keep_freed
from sightline.train.schedule import Schedule, plan, rate_at
from sightline.train.step import Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from sightline.data.loader import Images
    from sightline.recipe import Recipe

REPORTS = 30
"""A run is scored, saved and told about so often at most: the many short passes over a tiny set go together."""
PATIENCE = 10.0
"""Seconds after which a long pass tells how far it is."""
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
    remark: str = ""
    """What happened, where that is why it is told."""


def quiet(_: Progress) -> None:
    """Tell nothing."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """What a training run learns from and how, beside the network; where it is kept, and who hears of it."""

    images: Images
    val: Images
    recipe: Recipe
    schedule: Schedule
    seed: int
    checkpoint: Checkpoint
    on_epoch: Callable[[Epoch], None]
    on_progress: Callable[[Progress], None]


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
    run = Run(
        images=images,
        val=val,
        recipe=recipe,
        schedule=plan(recipe, len(images)),
        seed=seed,
        checkpoint=checkpoint,
        on_epoch=on_epoch,
        on_progress=on_progress,
    )
    state = begin(model, recipe)
    saved = checkpoint.load()
    if saved is not None:
        state.restore(saved)
    try:
        with reader(images, recipe, run.schedule, seed) as read:
            _go(state, run, read)
    finally:
        torch.set_num_threads(threads)
    model.load_state_dict(state.best if state.best is not None else state.answering.state_dict())
    model.eval()
    return state.history


def begin(model: nn.Module, recipe: Recipe) -> State:
    """The state before the first step, `model` on the best device in the layout that its convolutions want."""
    device = best_device()
    if device.type == "cpu":
        keep_freed()
    else:
        # The fastest convolutions for batches that keep their shape, unless the same ones are wanted each time.
        torch.backends.cudnn.benchmark = not torch.are_deterministic_algorithms_enabled()
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = optim.moving_average(model, recipe.ema) if recipe.ema else None
    scaler = torch.amp.GradScaler(device.type, enabled=precision(device, recipe) == torch.float16)
    return State(model, optim.build(model, recipe), scaler, average, torch.zeros((), device=device))


def kept(history: list[Epoch], recipe: Recipe) -> Epoch:
    """The report whose weights the model carries: the best where the run may stop early, else the last."""
    return max(history, key=lambda epoch: epoch.rank) if recipe.patience else history[-1]


def _go(state: State, run: Run, read: Callable[[int], tuple[Tensor, Tensor]]) -> None:
    """Take the steps that are left; `read` gives the batch of a step and its targets."""
    recipe, schedule = run.recipe, run.schedule
    stride = schedule.steps_per_epoch * -(-schedule.epochs // REPORTS)
    watch = _Watch(state.step)
    weights = class_weights(run.images) if recipe.balance == "weights" else None
    learn = Step(
        state,
        recipe,
        weights,
        of(run.images.task),
        left=schedule.steps - state.step,
        tell=lambda words: run.on_progress(_progress(state, schedule, watch, words)),
    )
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
        torch.manual_seed(generator_for(run.seed, epoch, number).initial_seed() + group.number())
        state.loss += learn(batch, targets)
        state.step += 1
        if state.step % stride == 0 or state.step == schedule.steps:
            _report(state, run, watch)
            if state.step < schedule.steps:
                run.checkpoint.save(state.values())
            run.on_epoch(state.history[-1])
            watch, learning = _Watch(state.step), False
            continue
        now = time.perf_counter()
        if now - watch.saved > max(run.checkpoint.every, watch.cost / WRITING):
            run.checkpoint.save(state.values())
            watch.saved = time.perf_counter()
            watch.cost = watch.saved - now
        if now - watch.notified > PATIENCE:
            run.on_progress(_progress(state, schedule, watch))
            watch.notified = now


class _Watch:
    """The clocks of one stretch between two reports: what they show is told, and decides nothing that is learned."""

    def __init__(self, step: int) -> None:
        self.first = step
        self.started = self.saved = self.notified = time.perf_counter()
        self.data = self.cost = 0.0


def _report(state: State, run: Run, watch: _Watch) -> None:
    recipe, schedule = run.recipe, run.schedule
    steps = state.step - state.reported
    loss = float(state.loss) / steps
    trained = time.perf_counter()
    val_loss, accuracy, fitted = group.scored(state.answering, run.val)
    here = state.step - watch.first
    passes = max(1, round(here / schedule.steps_per_epoch))
    row = Epoch(
        epoch=-(-state.step // schedule.steps_per_epoch),
        epochs=schedule.epochs,
        step=state.step,
        train_loss=loss,
        val_loss=val_loss,
        val_fitted_loss=fitted,
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


def _progress(state: State, schedule: Schedule, watch: _Watch, remark: str = "") -> Progress:
    return Progress(
        step=state.step,
        steps=schedule.steps,
        epoch=state.step // schedule.steps_per_epoch + 1,
        epochs=schedule.epochs,
        train_loss=float(state.loss) / max(1, state.step - state.reported),
        images_per_second=(state.step - watch.first) * schedule.batch / (time.perf_counter() - watch.started),
        remark=remark,
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
