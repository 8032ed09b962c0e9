"""One at a time in a project."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from prefect.logging import disable_run_logger

from flows.start import in_turn
from sightline.errors import ProjectError
from sightline.turns import aside, holder, turn

if TYPE_CHECKING:
    from pathlib import Path

OTHER = """
import sys
from pathlib import Path
from sightline.turns import turn
with turn(Path(sys.argv[1]), "the training flow"):
    print("in", flush=True)
    sys.stdin.readline()
"""


def other(root: Path) -> subprocess.Popen[str]:
    """Another process that has the turn, until it reads a line or ends."""
    words = [sys.executable, "-P", "-c", OTHER, str(root)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
    return process


def test_who_is_at_work_is_told(tmp_path: Path) -> None:
    """Without waiting it is an error that names it; a killed process holds nothing."""
    process = other(tmp_path)
    try:
        told = rf"the training flow of \S+ \(process {process.pid} on"
        with pytest.raises(ProjectError, match=told), turn(tmp_path, "sightline data"):
            pass
    finally:
        process.kill()
        process.wait()
    with turn(tmp_path, "sightline data"):
        assert holder(tmp_path).startswith("sightline data of")


def test_second_waits_and_says_for_whom(tmp_path: Path) -> None:
    """It goes on once the first has ended, and knows how long it waited."""
    process, said = other(tmp_path), list[str]()

    def hear(sentence: str) -> None:
        said.append(sentence)
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()

    with turn(tmp_path, "the promotion of version 3", hear) as waited:
        assert waited > 0
    assert process.wait() == 0
    assert len(said) == 1
    assert said[0].startswith("the promotion of version 3 waits: the training flow of")


def test_budget_starts_later_by_the_time_that_was_waited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What others took is no part of it, and given to it neither: its clock starts when its own work does."""
    (tmp_path / "params.yaml").touch()
    monkeypatch.chdir(tmp_path)
    process = other(tmp_path)
    release = threading.Timer(2, process.communicate, "\n")
    release.start()
    with disable_run_logger():
        with in_turn("the search") as clock:
            assert clock == pytest.approx(time.time(), abs=0.5)
        with in_turn("the search", began=1000.0) as clock:
            assert clock == pytest.approx(1000, abs=0.5)
    release.join()


def test_whoever_has_the_turn_may_take_it_again(tmp_path: Path) -> None:
    """A flow that calls another one does not wait for itself."""
    with turn(tmp_path, "outer"), turn(tmp_path, "inner"):
        assert holder(tmp_path).startswith("outer")
    process = other(tmp_path)
    process.communicate("\n")
    assert process.returncode == 0


def test_waiting_for_a_person_keeps_nobody_out(tmp_path: Path) -> None:
    """Others work meanwhile; afterwards the turn is this one's again."""
    with turn(tmp_path, "outer"):
        with aside(tmp_path, "outer", lambda _: None):
            process = other(tmp_path)
            process.communicate("\n")
            assert process.returncode == 0
        assert holder(tmp_path).startswith("outer")
        result: list[BaseException] = []

        def try_it() -> None:
            try:
                with turn(tmp_path, "thread"):
                    pass
            except ProjectError as error:
                result.append(error)

        thread = threading.Thread(target=try_it)
        thread.start()
        thread.join()
        assert len(result) == 1


def test_aside_without_a_turn_does_nothing(tmp_path: Path) -> None:
    """A promotion outside of any flow holds none."""
    with aside(tmp_path, "nobody", lambda _: None):
        pass
    with turn(tmp_path, "somebody"):
        pass
