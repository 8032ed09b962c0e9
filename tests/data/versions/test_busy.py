"""What a killed process leaves in DVC's list of who is at work stops nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from sightline.data.versions import dvc
from sightline.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.project import Paths


@pytest.fixture(name="place")
def _place(toy: Paths) -> Path:
    """DVC's list."""
    place = toy.root / ".dvc" / "tmp" / "rwlock"
    place.parent.mkdir(exist_ok=True)
    return place


def held(place: Path, pid: int, folder: Path) -> None:
    """Note that a process writes the raw images."""
    place.write_text(json.dumps({"write": {str(folder): {"pid": pid, "cmd": "dvc add"}}, "read": {}}))


def test_who_was_killed_is_taken_out(toy: Paths, place: Path) -> None:
    """Also where the system has given its number to a later process: here to this one."""
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    held(place, gone.pid, toy.raw("target"))
    dvc.track_raw(toy, "target")
    assert not any(json.loads(place.read_text()).values())
    held(place, os.getppid(), toy.raw("target"))
    os.utime(place, (0, 0))
    with dvc.opened(toy.root):
        assert not any(json.loads(place.read_text()).values())


@pytest.mark.parametrize("cut", ["", '{"write": {"/a', "[]"])
def test_list_that_was_cut_begins_anew(toy: Paths, place: Path, cut: str) -> None:
    """DVC itself refuses it for ever."""
    place.write_text(cut)
    next(toy.raw("target").rglob("*.png")).unlink()
    assert dvc.track_raw(toy, "target")


def test_who_is_at_work_is_waited_for(toy: Paths, place: Path) -> None:
    """By its number and the time at which it began."""
    held(place, os.getppid(), toy.raw("target"))
    with pytest.raises(DataError, match="another DVC command is at work"):
        dvc.track_raw(toy, "target")
