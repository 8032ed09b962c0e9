"""DVC's list of who reads and writes what in a project, freed of those who were killed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping

CLOCKS = 60.0
"""Seconds by which a process may seem younger than it is: its start is told in whole seconds, and clocks are set."""


def shed(repo: Any) -> None:
    """Take out of the list of a DVC repository whoever is not at work any more, and a list that was cut.

    DVC asks by number alone whether a process lives, which the system gives to others in time; then it waits for
    nobody, for ever, as it does where the list cannot be read. Raises `dvc.lock.LockError` where another process keeps
    writing it.
    """
    from dvc.lock import make_lock
    from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK

    place = Path(repo.tmp_dir, RWLOCK_FILE)
    if not place.is_file() or _stale(place) is None:
        return
    hardlinks = repo.config["core"].get("hardlink_lock", False)
    with make_lock(os.fspath(place.with_name(RWLOCK_LOCK)), tmp_dir=repo.tmp_dir, hardlink_lock=hardlinks):
        # Whoever wrote it while it was looked at has finished.
        if (left := _stale(place)) is not None:
            write_atomically(place, json.dumps(left))


def _stale(place: Path) -> Mapping[str, Any] | None:
    """What the list should hold; None where it does."""
    from dvc.rwlock import SCHEMA
    from voluptuous import Invalid

    changed = place.stat().st_mtime
    try:
        held = SCHEMA(json.loads(place.read_bytes()))
    except (ValueError, Invalid):
        return {}
    readers = {path: [one for one in many if _lives(one, changed)] for path, many in held["read"].items()}
    left = {
        "read": {path: many for path, many in readers.items() if many},
        "write": {path: one for path, one in held["write"].items() if _lives(one, changed)},
    }
    return None if left == held else left


def _lives(entry: Mapping[str, Any], changed: float) -> bool:
    """Whether the process that made an entry is at work: one that began after the list was `changed` is another."""
    import psutil

    try:
        return bool(psutil.Process(entry["pid"]).create_time() <= changed + CLOCKS)
    except psutil.NoSuchProcess:
        return False
