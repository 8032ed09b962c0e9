"""A sign of life: a command that works says so where it would be silent for more than two seconds.

On a terminal it is one line that counts the seconds and goes with the next word; elsewhere, as in a log, a line after
two seconds, and then ever more seldom. All of it goes to standard error.
"""

from __future__ import annotations

import sys
import time
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import TextIO

FIRST, LONGEST = 1.3, 300.0
"""Seconds of silence before the first sign, beside the half in which Python starts; between two in a log at most."""
STEP = 0.2
"""Seconds between two looks at the clock."""
CLEAR = "\r\x1b[K"
"""What empties a line of a terminal."""


class Pulse:
    """Watches what a command prints."""

    def __init__(self, what: str, out: TextIO) -> None:
        self._what, self._out = what, out
        self._began = self._heard = time.monotonic()
        self._next, self._shown = FIRST, False
        self._lock, self._over = Lock(), Event()
        Thread(target=self._beat, daemon=True).start()

    def heard(self) -> None:
        """Something is about to be printed."""
        with self._lock:
            self._heard = time.monotonic()
            if self._out.isatty():
                self._next = FIRST
            self._wipe()

    def end(self) -> None:
        """The command is done, or waits for others from now on."""
        self._over.set()
        with self._lock:
            self._wipe()

    def _wipe(self) -> None:
        if self._shown:
            self._out.write(CLEAR)
            self._out.flush()
            self._shown = False

    def _beat(self) -> None:
        while not self._over.wait(STEP):
            with self._lock:
                if time.monotonic() - self._heard >= self._next and not self._over.is_set():
                    self._sign()

    def _sign(self) -> None:
        told = f"{self._what}: at work, {time.monotonic() - self._began:.0f} s"
        if self._out.isatty():
            self._out.write(CLEAR + told)
            self._next += 1.0
            self._shown = True
        else:
            self._out.write(told + "\n")
            self._next = min(2 * self._next, self._next + LONGEST)
        self._out.flush()


class Heard:
    """A stream that tells a pulse of each word; all else is the stream's own."""

    def __init__(self, stream: TextIO, pulse: Pulse) -> None:
        self._stream, self._pulse = stream, pulse

    def write(self, text: str) -> int:
        """Print."""
        self._pulse.heard()
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_running: list[Pulse] = []


def begin(what: str) -> None:
    """Watch what this process prints from now on."""
    pulse = Pulse(what, sys.stderr)
    _running.append(pulse)
    sys.stdout, sys.stderr = Heard(sys.stdout, pulse), Heard(sys.stderr, pulse)


def is_running() -> bool:
    """Whether one watches already."""
    return bool(_running)


def end() -> None:
    """No more signs: it is over, or a server from now on."""
    while _running:
        _running.pop().end()
