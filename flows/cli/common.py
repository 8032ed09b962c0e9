"""What the command line's files share."""

from __future__ import annotations

import atexit
import os
import re
import signal
import sys
import threading
import time
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from flows.cli import pulse
from sightline import config, project, space
from sightline.masking import masked
from sightline.words import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import FrameType

    from typer.exceptions import TyperException

    from sightline.project import Paths

LAST = 20
"""Seconds that a program which was asked to end has for telling so."""
_command: list[str] = []
SIGNALLED = 128
"""Exit status, beside the number of the signal, by which shells know it."""

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of text for people.")]
Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="SECTION.KEY=VALUE", help="Change a value for this command, such as evaluate.release=r2."
    ),
]


class Use(StrEnum):
    """The data sets of a project."""

    source = "source"
    target = "target"


WhichUse = Annotated[Use, typer.Argument(metavar="[source|target]", help="The data set; by default the target.")]
UseOption = Annotated[Use, typer.Option("--use", metavar="source|target", help="The data set; by default the target.")]


def say(text: str, *, err: bool = False, lines: bool = False) -> None:
    """Print a line for people, or several `lines`: nothing in it, such as a file's name, acts on the terminal."""
    typer.echo(visible(masked(text), lines=lines), err=err)


def misused(error: TyperException) -> list[str]:
    """What is wrong with the words of a command line, and where it says what they may be; nothing after a help text."""
    said = " ".join(error.format_message().split()).rstrip(".").replace("Value error, ", "")
    if not said:
        return []
    said = re.sub(r" \(Possible options: (.*)\)$", r" (did you mean \1?)", said)
    said = re.sub(r"\. Did you mean (.*)\?$", r" (did you mean \1?)", said)
    context = getattr(error, "ctx", None)
    where = context.command_path if context else "sightline"
    return [f"{said[0].lower()}{said[1:]}; `{where} --help` tells what there is"]


def announce(command: str) -> None:
    """Let the command show that it is at work: on a terminal from now on, elsewhere once it knows its project."""
    _command.append(command)
    if pulse.is_running():
        _command.clear()
    elif sys.stderr.isatty():
        pulse.begin(_command.pop())


def enter() -> Paths:
    """The project that the command is about, its environment set before Prefect and MLflow are imported."""
    os.environ.setdefault("COLUMNS", "120")
    root = config.find_root()
    if _command:
        pulse.begin(_command.pop())
    return project.enter(root)


def written(paths: Paths, write: Callable[[], Path]) -> Path | None:
    """The page that `write` writes; None where this user may not, which is told: the answer needs none."""
    try:
        return write()
    except OSError as error:
        said = space.shut(paths.root, error)
        if said is None:
            raise
        say(f"without its page: {said}", err=True)
        return None


@contextmanager
def alone(paths: Paths) -> Iterator[Paths]:
    """The same project, in which no run is at work inside the block; raises ProjectError where one is."""
    from sightline.turns import turn

    with turn(paths.root, "`sightline data`"):
        yield paths


def end_when_asked() -> None:
    """Let SIGTERM end the program as Ctrl-C does: what runs is told that it ends, and by which exit status.

    Whatever hangs then is left behind after LAST seconds.
    """
    signal.signal(signal.SIGTERM, _asked)
    read, write = os.pipe()
    os.set_blocking(write, False)
    # Prefect puts a handler of its own into the place of ours; this pipe hears of each signal all the same.
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=[read], daemon=True).start()


def _asked(number: int, _frame: FrameType | None) -> NoReturn:
    again = "a run, a search or a score that is asked for again goes on from there"
    print(f"{signal.Signals(number).name}: ended here; {again}", file=sys.stderr)
    raise SystemExit(SIGNALLED + number)


def _watch(signals: int) -> None:
    while (number := os.read(signals, 1)[0]) not in {signal.SIGTERM, signal.SIGINT}:
        pass
    time.sleep(LAST)
    os._exit(SIGNALLED + number)


def leave(status: str | int | None) -> NoReturn:
    """End the program: what waits to be sent goes first, the second of taking libraries apart is saved."""
    pulse.end()
    code = status if isinstance(status, int) else int(status is not None)
    if isinstance(status, str):
        print(status, file=sys.stderr)
    # The order of a usual end: threads, then what was registered for it (Prefect sends its logs, and ends its server).
    threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
    atexit._run_exitfuncs()  # noqa: SLF001
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
