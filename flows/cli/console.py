"""The terminal: plain lines, bars, and texts of strangers that do not act."""

from __future__ import annotations

import logging
import os
import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich import markup
from rich.console import Console
from rich.progress import Progress

from sightline.errors import SightlineError
from sightline.masking import masked
from sightline.space import is_about_space
from sightline.words import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.text import Text


class Visible(Console):
    """A console on which no text acts: what it shows in colours are its own."""

    def render_str(self, text: str, **settings: Any) -> Text:
        """The text as rich makes it of markup, what a terminal obeys spelled out."""
        return super().render_str(visible(text, lines=True), **settings)


CONSOLE = Visible()
ENGINE = {"flow_engine", "task_engine", "engine", "server", "runner"}
"""Modules of Prefect whose every-run remarks ("Beginning flow run …") a person at a terminal does not need."""
LEAVING = "Still processing items"
"""How Prefect tells every four seconds of an end that its last messages are on their way."""
FAILED = re.compile(r"Finished in state Failed\(.*run encountered an exception")
"""How Prefect repeats an error on one line that it has told before: a bug with its traceback, ours by its command."""


def shown(text: str) -> str:
    """A text of strangers, on one line and without any markup."""
    return markup.escape(visible(text))


class Lines(logging.StreamHandler[Any]):
    """Console handler for people: the steps of a flow as plain lines, our own errors without a traceback.

    Prefect's pages and API get every record as before.
    """

    def __init__(self, stream: Any = None, styles: dict[str, str] | None = None, level: int = 0) -> None:
        del styles  # Prefect's logging settings pass it
        super().__init__(stream or sys.stderr)
        self.setLevel(level)

    def emit(self, record: logging.LogRecord) -> None:
        """Print what a person at a terminal needs."""
        error = record.exc_info[1] if record.exc_info else None
        ours = isinstance(error, SightlineError) or (error is not None and is_about_space(error))
        said = record.getMessage()
        if said.startswith(LEAVING) or (record.module in ENGINE and FAILED.match(said)):
            return
        if not ours and (record.levelno >= logging.WARNING or record.module not in ENGINE):
            super().emit(record)

    def format(self, record: logging.LogRecord) -> str:
        """The time and the message."""
        formatter = logging.Formatter("%(asctime)s  %(message)s", "%H:%M:%S")
        return visible(masked(formatter.format(record)), lines=True)


def use_plain_lines() -> None:
    """Make Prefect log to this console in plain lines; to be called before it is imported."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_CLASS", f"{__name__}.{Lines.__name__}")


def progress(what: str) -> Callable[[list[str]], Iterable[str]]:
    """A bar on the terminal for whoever goes through a list; on stderr, so that `--json` stays clean."""
    from rich.progress import track

    return lambda items: track(items, what, console=Visible(stderr=True), transient=True)


@contextmanager
def counted_progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar with the time left on stderr; what it gives is called with the number that is done since the last call."""
    with Progress(*Progress.get_default_columns(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.update(task, advance=count)


@contextmanager
def counted_steps(total: int) -> Iterator[Callable[[str], None] | None]:
    """A progress bar on stderr and the function that moves it on; None where there are no steps to come."""
    if not total:
        yield None
        return
    with Progress(*Progress.get_default_columns(), console=Visible(stderr=True)) as bar:
        task = bar.add_task("corruptions", total=total)
        yield lambda name: bar.update(task, advance=1, description=name.replace("_", " "))
