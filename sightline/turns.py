"""One at a time in a project: what trains, promotes or changes its data waits for what is at work, and says for whom.

The kernel ends a turn with its process. It holds for all processes on this machine, and on others where the project
lies on a file system that locks for all of them; beyond, the registry and the ledger have locks of their own.
"""

from __future__ import annotations

import getpass
import json
import time
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from sightline.errors import ProjectError
from sightline.files import write_atomically
from sightline.processes import identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

LOCK, NOTE = ".prefect/turn.lock", ".prefect/turn.json"
AGAIN = 60.0
"""Seconds after which it is said anew what is waited for."""


@contextmanager
def turn(root: Path, what: str, notify: Callable[[str], None] | None = None) -> Iterator[float]:
    """Nobody else works in the project inside the block; the seconds that were waited for that.

    `notify` is told for whom it waits. Without it nothing waits: raises ProjectError, naming who is at work.
    """
    lock = _lock(root)
    began, patience = time.monotonic(), 0.0
    while True:
        try:
            lock.acquire(timeout=patience)
            break
        except Timeout:
            if notify is None:
                raise ProjectError(f"{holder(root)} in {root}: wait for its end, then ask again") from None
            notify(f"{what} waits: {holder(root)} in {root}")
            patience = AGAIN
    waited = time.monotonic() - began
    try:
        if lock.lock_counter == 1:
            told = {
                "what": what,
                "by": getpass.getuser(),
                "process": identity(),
                "at": f"{datetime.now().astimezone():%H:%M}",
            }
            write_atomically(root / NOTE, json.dumps(told))
        yield waited
    finally:
        lock.release()


@contextmanager
def aside(root: Path, what: str, notify: Callable[[str], None]) -> Iterator[None]:
    """Let others work inside the block, where this process has the turn: it waits for a person meanwhile."""
    lock = _lock(root)
    held = lock.lock_counter
    for _ in range(held):
        lock.release()
    try:
        yield
    finally:
        if held:
            with turn(root, what, notify):
                for _ in range(held):
                    lock.acquire()


def holder(root: Path) -> str:
    """Who is at work, in words."""
    try:
        told = json.loads((root / NOTE).read_bytes())
        machine, number, _ = told["process"].rsplit(" ", 2)
    except (OSError, ValueError, KeyError):
        return "another run is at work"
    return f"{told['what']} of {told['by']} (process {number} on {machine}, since {told['at']}) is at work"


def _lock(root: Path) -> FileLock:
    """The one lock of the project in this process: whoever has the turn may take it again."""
    place = root / LOCK
    place.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(place, is_singleton=True)
