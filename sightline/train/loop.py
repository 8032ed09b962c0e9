"""The training loop: one for pretraining and fine-tuning.

Every random choice of step s is drawn from a generator seeded with (seed, s). So nothing random has to be saved: model,
optimiser and the number of the step are the whole state, and a resumed run goes on exactly as an undisturbed one.
"""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from sightline.train.augment import augment, normalise

if TYPE_CHECKING:
    from collections.abc import Callable

    from sightline.data.loader import Images
    from sightline.train.checkpoint import Checkpoint
    from sightline.train.recipe import Recipe


REPORTS = 30
"""A run is scored, saved and told about so often at most: the many short passes over a tiny set go together."""


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What is told after a pass, or after several short ones."""

    epoch: int
    epochs: int
    step: int
    train_loss: float
    val_loss: float
    val_accuracy: float
    images_per_second: float
    seconds: float


@dataclass(frozen=True)
class Schedule:
    """A recipe resolved to steps for a set of a given size."""

    batch: int
    steps_per_epoch: int
    epochs: int

    @property
    def steps(self) -> int:
        """Steps of the whole run."""
        return self.steps_per_epoch * self.epochs


def plan(recipe: Recipe, images: int) -> Schedule:
    """Resolve `recipe` for a training set of `images`: full batches only, at least `min_steps` steps."""
    batch = min(recipe.batch_size, images)
    per_epoch = images // batch
    return Schedule(batch, per_epoch, max(recipe.epochs, math.ceil(recipe.min_steps / per_epoch)))


def train(
    model: nn.Module,
    images: Images,
    val: Images,
    recipe: Recipe,
    seed: int,
    checkpoint: Checkpoint,
    on_epoch: Callable[[Epoch], None],
) -> list[Epoch]:
    """Train `model` in place and return its history; goes on from `checkpoint` where that holds a state.

    `on_epoch` is called after each pass, or each few of them where they are many. The model ends in evaluation mode.
    """
    device = best_device()
    schedule = plan(recipe, len(images))
    model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = _optimiser(model, recipe)
    history = [Epoch(**values) for values in checkpoint.restore(model, optimiser)]
    done = history[-1].epoch if history else 0
    stride = -(-schedule.epochs // REPORTS)
    for start in range(done, schedule.epochs, stride):
        passes = range(start, min(start + stride, schedule.epochs))
        started = time.perf_counter()
        losses = [_one_epoch(model, optimiser, images, recipe, schedule, seed, epoch, device) for epoch in passes]
        trained = time.perf_counter()
        val_loss, accuracy = score(model, val)
        history.append(
            Epoch(
                epoch=passes[-1] + 1,
                epochs=schedule.epochs,
                step=(passes[-1] + 1) * schedule.steps_per_epoch,
                train_loss=sum(losses) / len(losses),
                val_loss=val_loss,
                val_accuracy=accuracy,
                images_per_second=len(passes) * schedule.batch * schedule.steps_per_epoch / (trained - started),
                seconds=(time.perf_counter() - started) / len(passes),
            )
        )
        if history[-1].epoch < schedule.epochs:
            checkpoint.save(model, optimiser, [asdict(row) for row in history])
        on_epoch(history[-1])
    model.eval()
    return history


def _one_epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    images: Images,
    recipe: Recipe,
    schedule: Schedule,
    seed: int,
    epoch: int,
    device: torch.device,
) -> float:
    model.train()
    for part in _frozen_parts(model, recipe):
        part.eval()
    order = torch.randperm(len(images), generator=generator_for(seed, epoch, -1))
    total = torch.zeros((), device=device)
    for number in range(schedule.steps_per_epoch):
        step = epoch * schedule.steps_per_epoch + number
        _set_rate(optimiser, recipe.learning_rate * rate_at(step, schedule.steps, recipe.warmup))
        generator = generator_for(seed, epoch, number)
        # Dropout draws from the global state, so that is tied to the step as well.
        torch.manual_seed(generator.initial_seed())
        rows = order[number * schedule.batch : (number + 1) * schedule.batch]
        batch = augment(images.pixels[rows], recipe, generator).to(device, non_blocking=True)
        labels = images.labels[rows].to(device, non_blocking=True)
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=has_bf16(device)):
            logits = model(batch)
        loss = F.cross_entropy(logits.float(), labels, label_smoothing=recipe.label_smoothing)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        total += loss.detach()
    return float(total) / schedule.steps_per_epoch


def _frozen_parts(model: nn.Module, recipe: Recipe) -> list[nn.Module]:
    """The modules that stay in evaluation mode while the others train."""
    if recipe.freeze_backbone:
        return [model.get_submodule("backbone")]
    normalising = nn.modules.batchnorm._BatchNorm  # noqa: SLF001 — the base of all of them has no public name
    return [part for part in model.modules() if recipe.freeze_statistics and isinstance(part, normalising)]


def score(model: nn.Module, images: Images) -> tuple[float, float]:
    """Mean cross-entropy and accuracy of `model` on `images`; (nan, nan) where there are none."""
    if not len(images):
        return math.nan, math.nan
    logits = predict(model, images.pixels)
    return float(F.cross_entropy(logits, images.labels)), float((logits.argmax(1) == images.labels).float().mean())


@torch.no_grad()
def predict(module: nn.Module, pixels: Tensor, batch: int = 256, *, exact: bool = False) -> Tensor:
    """Outputs of `module` in evaluation mode for uint8 (N, 3, H, W), float32 on the CPU.

    `exact` computes in full precision, as serving does.
    """
    device = best_device()
    module.to(device).eval()
    parts = []
    for part in pixels.split(batch):
        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=has_bf16(device) and not exact):
            parts.append(module(normalise(part.to(device))).float().cpu())
    return torch.cat(parts)


def rate_at(step: int, steps: int, warmup: float) -> float:
    """Share of the peak rate at `step`: linear climb, then half a cosine down to zero at the end."""
    climb = max(1, round(warmup * steps))
    if step < climb:
        return (step + 1) / climb
    return 0.5 * (1 + math.cos(math.pi * (step - climb) / max(1, steps - climb)))


def generator_for(seed: int, epoch: int, number: int) -> torch.Generator:
    """The generator of one step: the same for the same run, epoch and number in it."""
    # Three odd constants keep neighbouring steps, epochs and seeds apart.
    mixed = (seed * 0x9E3779B97F4A7C15 + epoch * 0xBF58476D1CE4E5B9 + (number + 2) * 0x94D049BB133111EB) % 2**63
    return torch.Generator().manual_seed(mixed)


def best_device() -> torch.device:
    """CUDA where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_bf16(device: torch.device) -> bool:
    """Whether bfloat16 is fast on `device`: native matrix products, not an emulation."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def _optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    weights: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if recipe.freeze_backbone and name.startswith("backbone."):
            parameter.requires_grad_(False)
        else:
            (weights if parameter.ndim > 1 else others).append(parameter)
    groups = [{"params": weights, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=recipe.momentum, nesterov=True)


def _set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate
