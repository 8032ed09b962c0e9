"""The next batches, made while the network works on this one: by other threads, or on a GPU beside the network."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
Batch = tuple[Tensor, Tensor]


@contextmanager
def ahead(read: Callable[[int], T], end: int, readers: int) -> Iterator[Callable[[int], T]]:
    """Give `read`, but for consecutive steps below `end`, and called for the next `readers` of them already.

    Each thread computes alone, without torch's helpers: they would quarrel with those of the network. What `read` gives
    must depend on the step alone: then nothing shows that it was read by another thread, or twice.
    """
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(readers, "reader", initializer=_alone) as pool:
        # All threads are there before the network goes on: one that starts later would set the number for everybody.
        met = Barrier(readers)
        for one in [pool.submit(met.wait) for _ in range(readers)]:
            one.result()
        torch.set_num_threads(threads)
        waiting: dict[int, Future[T]] = {}

        def take(step: int) -> T:
            for one in range(step, min(step + readers + 1, end)):
                if one not in waiting:
                    waiting[one] = pool.submit(read, one)
            return waiting.pop(step).result()

        try:
            yield take
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def aside(make: Callable[[int], Batch], end: int) -> Iterator[Callable[[int], Batch]]:
    """Give `make`, which a GPU computes, but for consecutive steps below `end`, and asked for one step ahead.

    The network leaves parts of the card idle: what is made on a stream beside it takes little time from it. It is made
    at most two steps ahead, however far ahead Python asks, or batches would fill the memory.
    """
    network, stream = torch.cuda.current_stream(), torch.cuda.Stream()
    stream.wait_stream(network)
    made: dict[int, tuple[Batch, torch.cuda.Event]] = {}
    passed = network.record_event()

    def begin(step: int) -> None:
        nonlocal passed
        stream.wait_event(passed)
        passed = network.record_event()
        with torch.cuda.stream(stream):
            made[step] = make(step), stream.record_event()

    def take(step: int) -> Batch:
        if step not in made:
            begin(step)
        batch, done = made.pop(step)
        network.wait_event(done)
        for one in batch:
            # Its memory is used again once the network is through with it as well.
            one.record_stream(network)
        if step + 1 < end:
            begin(step + 1)
        return batch

    yield take


def _alone() -> None:
    """Let this thread compute without helpers, whatever number others set later."""
    # A thread that never asked takes the number set last by anybody when it first computes, over the one set here.
    torch.get_num_threads()
    torch.set_num_threads(1)
