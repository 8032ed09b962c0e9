"""Reading ahead."""

from __future__ import annotations

import threading
import time

import pytest

from sightline.train.ahead import ahead


def test_next_step_is_read_while_this_one_is_used() -> None:
    """Reading and using overlap, each step is read once, and none beyond the last."""
    read: list[int] = []

    def slow(step: int) -> int:
        time.sleep(0.05)
        read.append(step)
        return step * 10

    with ahead(slow, 6) as take:
        found = [take(3)]
        waited = 0.0
        for step in (4, 5):
            time.sleep(0.15)
            began = time.perf_counter()
            found.append(take(step))
            waited += time.perf_counter() - began
    assert (found, read) == ([30, 40, 50], [3, 4, 5])
    assert waited < 0.05


def test_error_of_the_reader_reaches_the_one_who_waits() -> None:
    """A shard that cannot be read ends the run where it is needed, and the thread with it."""

    def broken(step: int) -> int:
        if step == 1:
            raise OSError("gone")
        return step

    with pytest.raises(OSError, match="gone"), ahead(broken, 3) as take:  # noqa: PT012 — the second one fails
        take(0)
        take(1)
    assert not [one for one in threading.enumerate() if one.name.startswith("reader")]
