"""Which of Prefect's lines a person at a terminal sees."""

from __future__ import annotations

import inspect
import io
import logging

from prefect._internal.concurrency import services

from flows.cli.console import LEAVING, Lines


def test_remark_on_messages_that_go_out_at_the_end_is_left_out() -> None:
    """Nobody at a terminal can do anything about it; what a library warns of is shown."""
    assert f'"{LEAVING}: ' in inspect.getsource(services)
    out = io.StringIO()
    lines = Lines(out)
    for said in (f"{LEAVING}: 1 items remaining...", "the disk is nearly full"):
        lines.emit(logging.LogRecord("EventsWorker", logging.WARNING, services.__file__, 1, said, None, None))
    (line,) = out.getvalue().splitlines()
    assert line.endswith("the disk is nearly full")
