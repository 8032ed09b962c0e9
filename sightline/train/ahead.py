"""One thread that reads the next batch while the network works on this one."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


@contextmanager
def ahead(read: Callable[[int], T], end: int) -> Iterator[Callable[[int], T]]:
    """Give `read`, but for consecutive steps below `end`, and called for the next one already while this one is used.

    What `read` gives must depend on the step alone: then nothing shows that it was read by another thread, or twice.
    """
    with ThreadPoolExecutor(1, "reader") as pool:
        waiting: dict[int, Future[T]] = {}

        def take(step: int) -> T:
            now = waiting.pop(step, None) or pool.submit(read, step)
            if step + 1 < end:
                waiting[step + 1] = pool.submit(read, step + 1)
            return now.result()

        yield take
