"""Threads that make the next batches while the network works on this one."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


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


def _alone() -> None:
    """Let this thread compute without helpers, whatever number others set later."""
    # A thread that never asked takes the number set last by anybody when it first computes, over the one set here.
    torch.get_num_threads()
    torch.set_num_threads(1)
