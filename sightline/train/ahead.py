"""Threads that make the next batches while the network works on this one."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
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
    with ThreadPoolExecutor(readers, "reader", initializer=torch.set_num_threads, initargs=(1,)) as pool:
        waiting: dict[int, Future[T]] = {}

        def take(step: int) -> T:
            for one in range(step, min(step + readers + 1, end)):
                if one not in waiting:
                    waiting[one] = pool.submit(read, one)
            found = waiting.pop(step).result()
            # The number is each thread's own, but threads that are still to come take the one set last.
            torch.set_num_threads(threads)
            return found

        try:
            yield take
        finally:
            pool.shutdown(cancel_futures=True)
            torch.set_num_threads(threads)
