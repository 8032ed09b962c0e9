"""A command as a person gives it in a terminal: how long it takes, and how long nothing is to be seen."""

from __future__ import annotations

import os
import pty
import resource
import select
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LONGEST = 300.0
"""Seconds after which a command is ended."""


@dataclass(frozen=True)
class Watched:
    """What was seen of one command."""

    wall: float
    cpu: float
    """Seconds of processors, of the process and of those that it waited for: what the wall shows on a quiet core."""
    silence: float
    """The longest time in which nothing new was written, from the start on and to the end."""
    after: str
    """The last words before that silence."""
    status: int
    said: str


def watch(folder: Path, *words: str) -> Watched:
    """Give `sightline` the words in `folder`, on a terminal of its own."""
    ours, theirs = pty.openpty()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = heard = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "flows.cli", *words],
        cwd=folder,
        env={**os.environ, "DO_NOT_TRACK": "true", "TERM": "xterm"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    said, silence, after, ended = b"", 0.0, "", False
    while process.poll() is None or select.select([ours], [], [], 0)[0]:
        new = b""
        if select.select([ours], [], [], 0.02)[0]:
            try:
                new = os.read(ours, 65536)
            except OSError:  # the other end is closed: the process is about to end
                process.wait()
        now = time.monotonic()
        if now - heard > silence:
            silence, after = now - heard, said[-200:].decode(errors="replace")
        if new:
            said, heard = said + new, now
        elif process.returncode is not None:
            break
        if now - began > LONGEST and not ended:
            process.terminate()
            ended = True
    os.close(ours)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return Watched(now - began, cpu, silence, after, process.returncode or 0, said.decode(errors="replace"))
