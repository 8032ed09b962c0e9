"""Reading ahead."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from sightline.train.ahead import ahead, aside


def test_next_steps_are_read_while_this_one_is_used() -> None:
    """The next two are read before anybody asks for them, each once, and none beyond the last."""
    read: list[int] = []
    done = [threading.Event() for _ in range(6)]

    def note(step: int) -> int:
        read.append(step)
        done[step].set()
        return step * 10

    with ahead(note, 6, 2) as take:
        found = [take(3)]
        assert all(done[step].wait(60) for step in (4, 5))
        found += [take(4), take(5)]
    assert (found, sorted(read)) == ([30, 40, 50], [3, 4, 5])


def test_readers_compute_alone() -> None:
    """Each with one thread; the network keeps its own number, and so do threads that come later."""

    def asked(_: int) -> int:
        time.sleep(0.01)  # so that every reader gets a step
        return torch.get_num_threads()

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with ahead(asked, 8, 4) as take:
            assert [take(step) for step in range(8)] == [1] * 8
            assert torch.get_num_threads() == 3
            with ThreadPoolExecutor(1) as later:
                assert later.submit(torch.get_num_threads).result() == 3
    finally:
        torch.set_num_threads(before)


def test_error_of_the_reader_reaches_the_one_who_waits() -> None:
    """A shard that cannot be read ends the run where it is needed, and the thread with it."""

    def broken(step: int) -> int:
        if step == 1:
            raise OSError("gone")
        return step

    with pytest.raises(OSError, match="gone"), ahead(broken, 3, 1) as take:  # noqa: PT012 — the second one fails
        take(0)
        take(1)
    assert not [one for one in threading.enumerate() if one.name.startswith("reader")]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_batches_made_beside_the_network_are_whole() -> None:
    """Each is that of its step, made once, though the memory of those before is used again."""
    made = []

    def make(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        made.append(step)
        batch = torch.full((1000, 1000), float(step), device="cuda")
        for _ in range(50):
            batch = batch * 1.0
        return batch, torch.full((4,), step, device="cuda")

    busy = torch.randn(2000, 2000, device="cuda")
    sums = []
    with aside(make, 40) as take:
        for step in range(3, 40):
            batch, targets = take(step)
            busy = (busy @ busy).tanh()
            sums.append(((batch - step).abs().max() + (targets - step).abs().max()).clone())
            del batch, targets
    assert made == list(range(3, 40))
    assert not any(float(one) for one in sums)
