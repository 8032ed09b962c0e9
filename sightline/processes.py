"""The processes of a run: none outlives the one that started it, and which of them have died can be told later.

A process that we start watches the end of a pipe whose other end its parent holds. The kernel closes it however the
parent ends, on every system, and whichever thread started the process.
"""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from importlib import import_module
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import psutil

LEASH = "SIGHTLINE_LEASH"
"""Variable that names the descriptor to watch: it ends with the parent."""
SENT_TO_ALL = (signal.SIGINT, signal.SIGTERM)
"""What terminals and supervisors send to every process of a group."""
CLOCK = 2.0
"""Seconds by which a process may seem to have started at another time: the system's clock is set now and then."""


def tied(env: Mapping[str, str], *handed: int) -> dict[str, Any]:
    """Arguments of Popen for a process that calls `end_with_the_parent`: `env`, and the descriptors that it gets."""
    leash = _leash()
    return {"env": {**env, LEASH: str(leash)}, "pass_fds": (leash, *handed)}


def end_with_the_parent() -> None:
    """Die as soon as the process that started this one has gone, where it tied this one to itself.

    Until then only the parent ends it: what a terminal or a supervisor sends to all of its group is for the parent to
    answer, who still needs this one to do so.
    """
    leash = os.environ.pop(LEASH, None)
    if leash is not None:
        ignore_signals()
        die_with(int(leash))


def importing(*names: str) -> Thread:
    """A thread that imports the modules, while this one does something that does not need them.

    Whoever needs one joins it first: packages whose modules import one another come out half-made, or end in an error
    of a deadlock, where two threads ask for them at once. What fails here is told where it is needed.
    """

    def bring() -> None:
        # Where this process ends meanwhile, libraries are taken apart under the thread.
        with suppress(Exception):
            for name in names:
                import_module(name)

    thread = Thread(target=bring, daemon=True)
    thread.start()
    return thread


def ignore_signals() -> None:
    """Leave Ctrl-C and SIGTERM to the parent."""
    for number in SENT_TO_ALL:
        signal.signal(number, signal.SIG_IGN)


def die_with(leash: int) -> None:
    """Die as soon as the descriptor `leash` ends."""

    def wait() -> None:
        os.read(leash, 1)
        # Nobody is left to ask for the status, but torchrun would tell at length of any other.
        os._exit(0)

    Thread(target=wait, daemon=True).start()


@cache
def _leash() -> int:
    """The end to watch of a pipe that nobody ever writes into; this process alone holds the other one."""
    watched, _ = os.pipe()
    return watched


def run_tied(command: Sequence[str], env: Mapping[str, str], **settings: Any) -> int:
    """Exit status of a command of any kind; it and what it starts end with this process, or where this call does."""
    watched, held = os.pipe()
    keeper = [sys.executable, "-P", "-m", __name__, *command]
    process = subprocess.Popen(keeper, env={**env, LEASH: str(watched)}, pass_fds=(watched,), **settings)
    os.close(watched)
    try:
        return process.wait()
    finally:
        os.close(held)
        process.wait()


def _keep(command: Sequence[str]) -> int:
    """Run a command, and kill it with all that it started as soon as the leash ends."""
    leash = int(os.environ.pop(LEASH))
    for number in SENT_TO_ALL:
        # Not ignored: the command would inherit that.
        signal.signal(number, lambda *_: None)
    process = subprocess.Popen(command)
    # The command dies before all that it has started does: this process may not end in between.
    ending = Lock()

    def wait() -> None:
        import psutil

        os.read(leash, 1)
        with ending:
            with suppress(psutil.NoSuchProcess):
                _kill(psutil.Process(process.pid))
            os._exit(1)

    Thread(target=wait, daemon=True).start()
    status = process.wait()
    with ending:
        return status if status >= 0 else 128 - status


def _kill(process: psutil.Process) -> None:
    """Kill a process with all that it has started; stopped first, so that it starts nothing meanwhile."""
    import psutil

    with suppress(psutil.NoSuchProcess):
        process.suspend()
        for child in process.children():
            _kill(child)
        process.kill()


def identity() -> str:
    """This process: machine, number, and when it started."""
    import psutil

    return f"{platform.node()} {os.getpid()} {psutil.Process().create_time():.0f}"


def has_died(known: str) -> bool:
    """Whether the process with that `identity` ran on this machine and is there no more; what says less has not."""
    import psutil

    try:
        machine, number, started = known.rsplit(" ", 2)
        if machine != platform.node():
            return False
        process = psutil.Process(int(number))
        same = abs(process.create_time() - float(started)) <= CLOCK
        return not same or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except (ValueError, psutil.Error):
        return False


if __name__ == "__main__":
    sys.exit(_keep(sys.argv[1:]))
