"""Signs of life of a command that would be silent."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from flows.cli import pulse
from flows.cli.pulse import CLEAR, Heard, Pulse

if TYPE_CHECKING:
    from collections.abc import Callable


class Terminal(io.StringIO):
    """A text that calls itself a terminal."""

    def isatty(self) -> bool:
        """It does."""
        return True


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "FIRST", 0.05)
    monkeypatch.setattr(pulse, "STEP", 0.01)


def until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_silence_is_broken_in_a_log() -> None:
    """A line after a while, and the next only after longer."""
    out = io.StringIO()
    one = Pulse("sightline predict", out)
    until(lambda: out.getvalue().count("\n") >= 2)
    one.end()
    said = out.getvalue().splitlines()
    assert all(line.startswith("sightline predict: at work, ") for line in said)
    time.sleep(0.3)
    assert out.getvalue().splitlines() == said


def test_words_between_make_signs_in_a_log_no_more_frequent() -> None:
    """A run that says something each few seconds gets no sign of life beside each of them."""
    out = io.StringIO()
    one = Pulse("sightline run", out)
    until(lambda: "\n" in out.getvalue())
    one.end()
    before = one._next
    one.heard()
    assert one._next == before > pulse.FIRST


def test_line_on_a_terminal_goes_with_the_next_word() -> None:
    """It is one line that is written over, and nothing of it stays among what the command says."""
    out = Terminal()
    one = Pulse("sightline run", out)
    stream = Heard(out, one)
    until(lambda: "at work" in out.getvalue())
    print("an answer", file=stream)
    one.end()
    assert "\n" not in out.getvalue().partition("an answer")[0]
    assert out.getvalue().partition("an answer")[0].endswith(CLEAR)
    assert stream.isatty()


def test_command_that_ends_at_once_gives_none(tmp_path: object) -> None:
    """What fails before it knows its project says its error, and that alone."""
    words = [sys.executable, "-P", "-m", "flows.cli", "history"]
    done = subprocess.run(words, cwd=str(tmp_path), capture_output=True, text=True, check=False)
    assert "at work" not in done.stderr


SLOW = """
import os, sys, time
from flows.cli import pulse
from flows.cli.__main__ import main
pulse.FIRST, pulse.STEP = 0.05, 0.01
class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            time.sleep(1)
            os.write(2, b"(imported)")
sys.meta_path.insert(0, Slow())
sys.argv = ["sightline", "--version"]
main()
"""


def everything(terminal: int) -> str:
    """What was written to a terminal that all others have closed: it arrives in pieces, and ends as an error."""
    pieces: list[bytes] = []
    with contextlib.suppress(OSError):
        while piece := os.read(terminal, 65536):
            pieces.append(piece)
    return b"".join(pieces).decode()


def test_terminal_shows_life_while_libraries_are_imported() -> None:
    """On a busy machine that alone takes many seconds; nothing of it stays before the answer."""
    ours, theirs = pty.openpty()
    done = subprocess.run([sys.executable, "-P", "-c", SLOW], stdout=subprocess.PIPE, stderr=theirs, check=True)
    os.close(theirs)
    said = everything(ours)
    os.close(ours)
    assert "sightline --version: at work, 0 s" in said.partition("(imported)")[0]
    assert said.endswith(CLEAR)
    assert done.stdout.startswith(b"sightline ")
