"""A computation on a GPU that is recorded once and replayed: a CUDA graph.

A small network's step is hundreds of kernels of a few microseconds each, and Python takes longer to ask for them than
the card to compute them. A replay asks for all of them at once. It works in the memory that it was recorded with, so
batch and targets are copied there, and gradients always lie at the same place.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WARM = 2
"""Plain calls before it is recorded, beside one that is watched: libraries choose algorithms in the first ones."""


class Captured:
    """`function` of batch and targets, replayed from the first call on; called as it is where it cannot be recorded.

    What it changes in `model` beside gradients is what a single call changes, and so is what it draws: the seed that
    was set last counts at each replay.
    """

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor], model: nn.Module) -> None:
        self._function, self._model = function, model
        self._kept: _Recording | None = None
        self._refused = False

    def __call__(self, batch: Tensor, targets: Tensor) -> Tensor:
        """What the function gives."""
        if self._kept is not None and not self._kept.fits(batch, targets):
            self._kept = None
        if self._kept is None and not self._refused:
            self._try(batch, targets)
        return self._function(batch, targets) if self._kept is None else self._kept(batch, targets)

    def again(self) -> None:
        """Record anew, as the function is by now; raises what it raises, and is recorded at the next call then."""
        if self._kept is not None:
            inputs, self._kept = self._kept.inputs, None
            self._kept = self._record(*inputs)

    def _try(self, batch: Tensor, targets: Tensor) -> None:
        try:
            self._kept = self._record(batch.clone(), targets.clone())
        except RuntimeError:
            # A network that looks at its values on the way, or too little memory to keep what is recorded.
            self._refused = True

    def _record(self, *inputs: Tensor) -> _Recording:
        before = [buffer.clone() for buffer in self._model.buffers()]
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        try:
            with torch.random.fork_rng([inputs[0].device]), torch.cuda.stream(aside):
                for _ in range(WARM):
                    self._function(*inputs)
                with _watched():
                    self._function(*inputs)
        finally:
            torch.cuda.current_stream().wait_stream(aside)
            for buffer, value in zip(self._model.buffers(), before, strict=True):
                buffer.copy_(value)
            # To gradients that are there it would be added, and those of the one before are another's memory.
            self._model.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        # Other threads pin memory for the next batches meanwhile: only what this one asks for is looked at.
        with torch.cuda.graph(graph, stream=aside, capture_error_mode="thread_local"):
            result = self._function(*inputs)
        return _Recording(graph, inputs, result)


@dataclass(frozen=True)
class _Recording:
    """A graph, and where it reads and writes."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    result: Tensor

    def fits(self, *given: Tensor) -> bool:
        """Whether such inputs are those that it was recorded with."""
        return all(
            one.shape == other.shape and one.dtype == other.dtype for one, other in zip(self.inputs, given, strict=True)
        )

    def __call__(self, *given: Tensor) -> Tensor:
        """Compute anew from what is given."""
        for place, values in zip(self.inputs, given, strict=True):
            place.copy_(values)
        self.graph.replay()
        return self.result


@contextmanager
def _watched() -> Iterator[None]:
    """Raise where the host waits for the card: that cannot be recorded, and trying would leave torch in disorder."""
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that this is a prototype
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode(before)
