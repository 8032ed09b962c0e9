from __future__ import annotations

import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from conftest import make_images

from sightline.data.files import workers
from sightline.data.files.facts import AGAIN, Facts, Limits
from sightline.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

STAND_IN = """
import os, signal, time
from sightline.images import reading
inner = reading.open_image
def open_image(data, max_pixels=0):
    if data.startswith(b"crash"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if data.startswith(b"hang"):
        while True:
            pass
    if data.startswith(b"wait"):
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT])
        time.sleep(600)
    if data.startswith(b"eat"):
        kept = bytearray(5_000_000_000)
    if data.startswith(b"leave"):
        os._exit(3)
    return inner(data, max_pixels)
reading.open_image = open_image
"""
"""Makes a decoder of the real worker misbehave on files that begin so; Python loads it at start as sitecustomize."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Thirty images, and workers whose decoder has holes."""
    (tmp_path / "holes").mkdir()
    (tmp_path / "holes" / "sitecustomize.py").write_text(STAND_IN)
    monkeypatch.setattr(sys, "path", [str(tmp_path / "holes"), *sys.path])
    return make_images(tmp_path / "images", per_class=10)


def read(folder: Path, limits: Limits) -> dict[str, Facts]:
    """Path → facts of all files of `folder`."""
    paths = pd.Series(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png")))
    seen: dict[str, Facts] = {}
    for numbers, facts in workers.read_all(str(folder), paths, limits):
        for number, one in zip(numbers, facts, strict=True):
            assert paths[number] not in seen
            seen[paths[number]] = one
    assert set(seen) == set(paths)
    return seen


def test_files_that_crash_hang_or_eat_memory_cost_only_themselves(folder: Path) -> None:
    """Each has its reason, all the others are read once, and all but the memory eater are tried again next time."""
    bad = {
        "blue/crash.png": "the decoder crashed on it (SIGSEGV)",
        "blue/hang.png": "decoding it took more than 0.5 s",
        "green/wait.png": "reading it took more than 5 s",
        "red/eat.png": "reading it needs more memory than is allowed",
        "red/leave.png": "the decoder crashed on it (exit status 3)",
    }
    for path in bad:
        (folder / path).write_bytes((folder / path).stem.encode())
    seen = read(folder, Limits(seconds=0.5))
    assert {path: facts["reason"] for path, facts in seen.items() if facts["reason"]} == bad
    assert {path for path, facts in seen.items() if AGAIN in facts} == set(bad) - {"red/eat.png"}
    assert len(seen) == 35


@pytest.mark.slow
def test_a_crash_on_every_file_ends_too(folder: Path) -> None:
    """As many processes as files, and no loop without end."""
    for path in folder.rglob("*.png"):
        path.write_bytes(b"crash")
    assert {facts["reason"] for facts in read(folder, Limits()).values()} == {"the decoder crashed on it (SIGSEGV)"}


def test_workers_that_cannot_start_are_an_error(folder: Path, tmp_path: Path) -> None:
    """A broken installation is no fault of the images: nothing is quarantined for it."""
    (tmp_path / "holes" / "sitecustomize.py").write_text("import os; os._exit(1)")
    with pytest.raises(DataError, match="a reading process could not start"):
        read(folder, Limits())


def test_no_process_is_left_behind(folder: Path) -> None:
    """Whoever stops reading half-way leaves no worker, pipe or thread."""
    before = threading.active_count()
    paths = pd.Series(["red/0000.png"] * 1000)
    running = workers.read_all(str(folder), paths, Limits())
    next(running)
    del running
    mine = ["ps", "-o", "args=", "--ppid", str(os.getpid())]
    assert "sightline.data.files.worker" not in subprocess.run(mine, capture_output=True, text=True, check=True).stdout
    assert threading.active_count() == before


def test_nothing_to_read_starts_nothing(folder: Path) -> None:
    """An unchanged folder costs no process."""
    assert list(workers.read_all(str(folder), pd.Series([], dtype="string"), Limits())) == []
