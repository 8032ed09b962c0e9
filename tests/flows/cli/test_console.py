"""Which of Prefect's lines a person at a terminal sees."""

from __future__ import annotations

import inspect
import io
import logging

import pytest
from prefect import flow, task
from prefect._internal.concurrency import services

from flows.cli.console import LEAVING, Lines
from sightline.errors import ValidationFailed


def test_remark_on_messages_that_go_out_at_the_end_is_left_out() -> None:
    """Nobody at a terminal can do anything about it; what a library warns of is shown."""
    assert f'"{LEAVING}: ' in inspect.getsource(services)
    out = io.StringIO()
    lines = Lines(out)
    for said in (f"{LEAVING}: 1 items remaining...", "the disk is nearly full"):
        lines.emit(logging.LogRecord("EventsWorker", logging.WARNING, services.__file__, 1, said, None, None))
    (line,) = out.getvalue().splitlines()
    assert line.endswith("the disk is nearly full")


@task
def failing(error: Exception) -> None:
    """Raise what is given."""
    raise error


@flow
def story(error: Exception) -> None:
    """Fail in a task."""
    failing(error)


@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    ("error", "told"), [(ValidationFailed("Too few images:\ncat has 1."), 0), (ZeroDivisionError("a bug"), 2)]
)
def test_failed_run_is_told_once(error: Exception, told: int) -> None:
    """Our own error by its command alone; a bug with its tracebacks, and not in Prefect's words again."""
    out = io.StringIO()
    lines = Lines(out)
    loggers = [logging.getLogger(f"prefect.{name}_runs") for name in ("task", "flow")]
    for one in loggers:
        one.addHandler(lines)
    with pytest.raises(type(error)):
        story(error)
    for one in loggers:
        one.removeHandler(lines)
    assert "Finished in state" not in out.getvalue()
    assert (str(error).partition("\n")[0] in out.getvalue()) == bool(told)
    assert out.getvalue().count("Traceback") == told
