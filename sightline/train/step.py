"""One step of training: the gradients of a batch, then the change of the weights.

On a GPU Python is slower than the card where networks are small: forward and backward pass are captured once and
replayed (`captured`). Where a run is long enough to pay for it, the network is compiled before (`compiled`). Both give
what plain steps give, but for rounding, and both are left out where they cannot be had.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sightline.heads.known import ONE
from sightline.models.device import precision
from sightline.train import compiled, group
from sightline.train.captured import Captured

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from sightline.heads.protocol import Head
    from sightline.recipe import Recipe
    from sightline.train.checkpoint import State

WARM, TIMED, STRETCHES = 5, 7, 3
"""Steps before a step is timed, those that are timed together, and how often."""


def learn(
    state: State, batch: Tensor, targets: Tensor, recipe: Recipe, weights: Tensor | None, head: Head = ONE
) -> Tensor:
    """One step in `accumulate` parts on this process's share of a batch; the mean loss over the whole batch.

    `batch` and `targets` are as from `batch_of`.
    """
    total = gradients(state, batch, targets, recipe, weights, head)
    update(state, recipe)
    return group.summed(total)


def gradients(
    state: State, batch: Tensor, targets: Tensor, recipe: Recipe, weights: Tensor | None, head: Head
) -> Tensor:
    """Leave the gradients of a batch at the weights; this process's part of the mean loss."""
    total = torch.zeros((), device=batch.device)
    dtype = precision(batch.device, recipe)
    state.model.zero_grad(set_to_none=True)
    whole = head.counts(targets, weights)
    shares = [group.part(wanted) for wanted in targets.chunk(recipe.accumulate)]
    for images, mine in zip(batch.split([len(one) for one in shares]), shares, strict=True):
        with torch.autocast(batch.device.type, dtype=dtype, enabled=dtype != torch.float32):
            # What lies somewhere may decide what a network looks at.
            logits = state.learning(images, mine) if head.is_located else state.learning(images)
        loss = head.loss(logits.float(), mine, weights, recipe.label_smoothing)
        share = head.counts(mine, weights) / whole
        # The mean over the processes is taken where the sum is meant.
        state.scaler.scale(loss * share * group.members()).backward()
        total += loss.detach() * share
    return total


def update(state: State, recipe: Recipe) -> None:
    """Change the weights, and their average, by the gradients."""
    if recipe.clip:
        state.scaler.unscale_(state.optimiser)
        nn.utils.clip_grad_norm_(state.model.parameters(), recipe.clip)
    state.scaler.step(state.optimiser)
    state.scaler.update()
    if state.average is not None:
        state.average.update_parameters(state.model)


def quiet(_: str) -> None:
    """Tell nothing."""


class Step:
    """`learn` for the batches of one run, which all have the same shape; as fast as the device allows."""

    def __init__(
        self,
        state: State,
        recipe: Recipe,
        weights: Tensor | None = None,
        head: Head = ONE,
        left: int = 0,
        tell: Callable[[str], None] = quiet,
    ) -> None:
        """`left`: how many steps are still to be taken, which may pay for compiling; `tell` hears of that."""
        self._state, self._recipe, self._weights, self._head = state, recipe, weights, head
        self._left, self._tell = left, tell
        on_gpu = next(state.model.parameters()).is_cuda
        # What is found in an image decides about shapes, other processes wait for each other, and the scale of float16
        # is looked at by the host.
        fixed = not head.is_located and group.members() == 1 and not state.scaler.is_enabled()
        self._captured = Captured(self._plain, state.model) if on_gpu and fixed else None
        self._deciding: Generator[None, None, None] | None = None
        # Which steps are compiled hangs on the clock: not where the same run must give the same bits.
        if self._captured is not None and not torch.are_deterministic_algorithms_enabled():
            self._deciding = self._decide(self._captured)

    def __call__(self, batch: Tensor, targets: Tensor) -> Tensor:
        """Learn from a batch; the mean loss over the whole of it."""
        total = (self._captured or self._plain)(batch, targets)
        update(self._state, self._recipe)
        self._left -= 1
        if self._deciding is not None:
            next(self._deciding, None)
        return group.summed(total)

    def _plain(self, batch: Tensor, targets: Tensor) -> Tensor:
        return gradients(self._state, batch, targets, self._recipe, self._weights, self._head)

    def _decide(self, captured: Captured) -> Generator[None, None, None]:
        """Compile the network where the steps that are left pay for it; goes on by a step at each call."""
        before = yield from self._timed()
        cost = compiled.cost(self._state.model)
        if compiled.GAIN * before * self._left < cost:
            return
        self._tell(f"compiling the network, which takes about {cost:.0f} s and makes steps faster")
        plain, began = self._state.learning, time.perf_counter()
        self._state.learning = torch.compile(self._state.model, dynamic=False)  # type: ignore[assignment]
        try:
            captured.again()
        except Exception as error:  # noqa: BLE001 — a compiler may fail in any way, and the run goes on without
            self._state.learning = plain
            self._tell(f"the network could not be compiled ({compiled.reason(error)}); training goes on without")
            return
        took = time.perf_counter() - began
        after = yield from self._timed()
        if after > before:
            self._state.learning = plain
            captured.again()
        self._tell(
            f"compiled in {took:.0f} s: a step takes {1000 * after:.1f} instead of {1000 * before:.1f} ms"
            + (", so training goes on without" if after > before else "")
        )

    def _timed(self) -> Generator[None, None, float]:
        """Seconds of a step, over those to come: of the fastest stretch, as a report may fall into another."""
        for _ in range(WARM):
            yield
        times = []
        for _ in range(STRETCHES):
            torch.cuda.synchronize()
            began = time.perf_counter()
            for _ in range(TIMED):
                yield
            torch.cuda.synchronize()
            times.append((time.perf_counter() - began) / TIMED)
        return min(times)
