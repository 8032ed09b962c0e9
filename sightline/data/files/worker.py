"""The process that reads files: `python -m sightline.data.files.worker CONNECTION PROGRESS`, started by `workers`.

Decoders are the part of the program that hostile bytes reach. Here they may crash, hang or eat memory: the kernel ends
this process, and the parent knows from PROGRESS which file it was.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path

from sightline.data.files.facts import Facts, Limits, read_facts
from sightline.processes import end_with_the_parent

PATIENCE = 10
"""A file may take so many times longer by the wall clock than in computing time."""


def main(connection: Connection, progress: int) -> None:
    """Answer each list of paths with the list of their facts, until the other side closes."""
    folder, limits = connection.recv()
    _limit_memory(limits.memory)
    # Their default action ends the process, even inside a decoder that never returns to Python.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    while True:
        try:
            paths: list[str] = connection.recv()
        except EOFError:
            return
        connection.send([_read(folder, path, limits, number, progress) for number, path in enumerate(paths)])


def _read(folder: str, path: str, limits: Limits, number: int, progress: int) -> Facts:
    os.pwrite(progress, number.to_bytes(4, "little"), 0)
    # Computing time, so that a busy machine quarantines nothing; the wall clock for those that wait for ever.
    signal.setitimer(signal.ITIMER_PROF, limits.seconds)
    signal.setitimer(signal.ITIMER_REAL, limits.seconds * PATIENCE)
    facts = read_facts(folder, path, limits)
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
    return facts


def _limit_memory(extra: float) -> None:
    """Let this process have `extra` bytes of address space more than now; where /proc is missing, no limit."""
    sizes = Path("/proc/self/statm")
    if sizes.is_file():
        now = int(sizes.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + int(extra), now + int(extra)))


if __name__ == "__main__":
    end_with_the_parent()
    main(Connection(int(sys.argv[1])), int(sys.argv[2]))
