"""Tests of who ends with whom, and of who is known to have died."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from sightline.processes import has_died, identity, run_tied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.project import Paths

SECONDS = 60

SHELL = """
import os
from sightline.processes import run_tied
run_tied(["sh", "-c", "sleep 600 & echo; sleep 600; true"], os.environ)
"""
WORKER = """
import os, sys, time
from sightline.data.files.facts import Limits
from sightline.data.files.workers import Chunk, Worker
os.mkfifo("endless.png")
one = Worker(".", Limits(seconds=600.0))
one.give(Chunk([0], ["endless.png"]))
print(flush=True)
time.sleep(600)
"""
STAGE = """
import os, time
from sightline.data.versions.warm import Shared
process = Shared().start({"cwd": ".", "env": os.environ})
print("validate target", file=process.stdin, flush=True)
print(flush=True)
time.sleep(600)
"""


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes to be ended with the test, in a folder of their own."""
    processes: list[subprocess.Popen[bytes]] = []
    os.chdir(tmp_path)
    yield processes
    for one in processes:
        one.kill()
        one.communicate()


def python(code: str, started: list[subprocess.Popen[bytes]]) -> tuple[subprocess.Popen[bytes], list[psutil.Process]]:
    """A process of a group of its own that runs `code` and has printed a line; and all that it has started."""
    process = subprocess.Popen([sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    started.append(process)
    assert process.stdout is not None
    assert process.stdout.readline()
    return process, psutil.Process(process.pid).children(recursive=True)


@pytest.mark.parametrize(("code", "least"), [(SHELL, 3), (WORKER, 1)], ids=["any command", "worker"])
def test_nothing_outlives_a_killed_parent(code: str, least: int, started: list[subprocess.Popen[bytes]]) -> None:
    """Whatever a killed process was waiting for is gone seconds later, and what that has started too."""
    process, children = python(code, started)
    assert len(children) >= least
    process.kill()
    _, alive = psutil.wait_procs(children, timeout=SECONDS)
    assert not alive


def test_stage_ends_in_the_middle_of_its_work(ingested: Paths, started: list[subprocess.Popen[bytes]]) -> None:
    """The data stage of a killed run writes nothing any more."""
    os.chdir(ingested.root)
    process, children = python(STAGE, started)
    assert len(children) == 1
    process.kill()
    _, alive = psutil.wait_procs(children, timeout=SECONDS)
    assert not alive
    assert not ingested.verdict("target").exists()


def test_signals_for_all_are_left_to_the_parent(started: list[subprocess.Popen[bytes]]) -> None:
    """Ctrl-C reaches a whole group, and a worker that died of it would make its image look harmful."""
    process, children = python(WORKER, started)
    for number in (signal.SIGINT, signal.SIGTERM):
        children[0].send_signal(number)
    _, alive = psutil.wait_procs(children, timeout=1)
    assert alive == children
    process.kill()


def test_command_tells_its_status() -> None:
    """A command of any kind ends as it does without a keeper, killed by a signal as shells say it."""
    assert run_tied(["sh", "-c", "exit 7"], os.environ) == 7
    assert run_tied(["true"], os.environ) == 0
    assert run_tied(["sh", "-c", "kill -9 $$"], os.environ) == 128 + 9


def test_process_is_known_by_more_than_its_number() -> None:
    """What has ended here has died; what lives, ran elsewhere or cannot be read has not; nor does a number say it."""
    shown = [sys.executable, "-P", "-c", "from sightline.processes import identity; print(identity())"]
    ended = subprocess.run(shown, capture_output=True, text=True, check=True).stdout.strip()
    machine, number, began = identity().rsplit(" ", 2)
    assert has_died(ended)
    assert not has_died(identity())
    assert has_died(f"{machine} {number} {float(began) - 60:.0f}")
    assert not has_died(f"another-{ended}")
    assert not has_died("")
    assert not has_died(f"{machine} x y")
