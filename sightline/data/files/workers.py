"""Reading many files in worker processes, so that a file which crashes, hangs or eats memory costs only itself."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, NamedTuple

from sightline.data.files import worker
from sightline.data.files.facts import AGAIN, Facts, Limits, unread
from sightline.errors import DataError
from sightline.processes import tied

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

CHUNK = 64
"""Files that a worker gets at once."""
PER_WORKER = 4 * CHUNK
"""Fewer files than this for each worker, and starting another would take longer than it saves."""
SETTINGS = {
    # There is a worker for each core: threads of their own would only wait for one another.
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    # glibc gives the pixels of each image back to the system and asks for them anew, a quarter of the time.
    **dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(32 << 20)),
}
"""Of the environment of a worker."""


class Chunk(NamedTuple):
    """Some of the files, by number."""

    numbers: list[int]
    paths: list[str]


NOTHING = Chunk([], [])


class Queue:
    """The files still to be read, in chunks."""

    def __init__(self, paths: pd.Series) -> None:
        self._fresh = (
            Chunk(list(range(start, min(start + CHUNK, len(paths)))), paths.iloc[start : start + CHUNK].tolist())
            for start in range(0, len(paths), CHUNK)
        )
        self._back: list[Chunk] = []

    def take(self) -> Chunk:
        """The next chunk; NOTHING at the end."""
        return self._back.pop() if self._back else next(self._fresh, NOTHING)

    def put_back(self, chunk: Chunk, without: int) -> None:
        """All of `chunk` but the file at place `without` is to be read again."""
        for part in (slice(None, without), slice(without + 1, None)):
            if chunk.numbers[part]:
                self._back.append(Chunk(chunk.numbers[part], chunk.paths[part]))


class Worker:
    """A process that reads files, and the next one where it ends."""

    def __init__(self, folder: str, limits: Limits) -> None:
        self.chunk = NOTHING
        self._folder, self._limits = folder, limits
        self._start()

    def give(self, chunk: Chunk) -> None:
        """Send files to read."""
        self.chunk = chunk
        if chunk.paths:
            self._send(chunk.paths)

    def answer(self, queue: Queue) -> tuple[list[int], list[Facts]]:
        """Numbers and facts of the files given; where the process ended, of that file alone, the others go back."""
        try:
            return self.chunk.numbers, self.connection.recv()
        except (EOFError, ConnectionResetError):
            place, reason = self._fate()
            self.close()
            self._start()
            queue.put_back(self.chunk, without=place)
            return [self.chunk.numbers[place]], [{**unread(self.chunk.paths[place], reason), AGAIN: True}]

    def close(self) -> None:
        """End the process, if it is still there."""
        self.connection.close()
        self._process.kill()
        self._process.wait()
        self._progress.close()

    def _start(self) -> None:
        self._progress = tempfile.TemporaryFile()  # noqa: SIM115 — closed in close()
        ours, theirs = socket.socketpair()
        with theirs:
            handed = (theirs.fileno(), self._progress.fileno())
            env = {**os.environ, **SETTINGS, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            self._process = subprocess.Popen(
                # -P: a file of the working directory must not stand in for a library.
                [sys.executable, "-P", "-m", worker.__name__, *map(str, handed)],
                **tied(env, *handed),
                # libtiff and others write their complaints straight to it.
                stderr=subprocess.DEVNULL,
            )
        self.connection: Connection[Any, Any] = Connection(ours.detach())
        self._send((self._folder, self._limits))

    def _send(self, message: object) -> None:
        # Where the process has ended, the answer that never comes tells.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(message)

    def _fate(self) -> tuple[int, str]:
        """Place in its chunk of the file at which the process ended, and how that was."""
        code = self._process.wait()
        place = os.pread(self._progress.fileno(), 4, 0)
        if not place:
            raise DataError(f"a reading process could not start: `{sys.executable} -m {worker.__name__}` says why")
        name = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        late = {
            -signal.SIGPROF: f"decoding it took more than {self._limits.seconds:g} s",
            -signal.SIGALRM: f"reading it took more than {self._limits.seconds * worker.PATIENCE:g} s",
        }
        return int.from_bytes(place, "little"), late.get(code, f"the decoder crashed on it ({name})")


def read_all(folder: str, paths: pd.Series, limits: Limits) -> Iterator[tuple[list[int], list[Facts]]]:
    """Facts of the files `paths` below `folder`: lists of their positions and facts, as they come.

    A file at which a process ends has that as its reason and is marked AGAIN; the others are read by a new process.
    Raises DataError where no process can be started.
    """
    queue = Queue(paths)
    count = min(os.cpu_count() or 1, -(-len(paths) // PER_WORKER))
    workers = [Worker(folder, limits) for _ in range(count)]
    try:
        for one in workers:
            one.give(queue.take())
        while busy := {one.connection: one for one in workers if one.chunk.paths}:
            for connection in wait(list(busy)):
                one = next(one for known, one in busy.items() if known is connection)
                numbers, facts = one.answer(queue)
                one.give(queue.take())
                yield numbers, facts
    finally:
        for one in workers:
            one.close()
