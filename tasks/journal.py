"""What a flow run did: each step with its time, and whether it ran, came from the cache or was up to date."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from prefect.logging import get_run_logger

from sightline.report.page import StageRow
from tasks.versioning import OutputT, run_trusted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prefect import Task

    from sightline.data.versions.dvc import Reproduced
    from tasks.context import Context

AnyT = TypeVar("AnyT")


class Journal:
    """The steps of one flow run, in order."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.rows: list[StageRow] = []

    def data(self, task: Task[Any, Reproduced], use: str) -> Reproduced:
        """Run a data task: DVC decides whether there is anything to do."""
        started = time.perf_counter()
        done: Reproduced = task(self.context.paths, use)
        self.note(f"{task.name} {use}", f"version {done.digest[:8]}", started, "ran" if done.ran else "up to date")
        return done

    def cached(self, task: Task[Any, OutputT], what: Callable[[OutputT], str], **inputs: Any) -> OutputT:
        """Run a training task: Prefect's cache decides, and its files are checked."""
        started = time.perf_counter()
        output, ran = run_trusted(task, self.context.paths.root, **inputs, context=self.context)
        self.note(task.name, what(output), started, "ran" if ran else "cached")
        return output

    def plain(self, task: Task[Any, AnyT], what: Callable[[AnyT], str], **inputs: Any) -> AnyT:
        """Run a task that always runs."""
        started = time.perf_counter()
        output: AnyT = task(**inputs, context=self.context)
        self.note(task.name, what(output), started, "ran")
        return output

    def note(self, name: str, what: str, started: float, outcome: Literal["ran", "cached", "up to date"]) -> None:
        """Add a step that began at `started` (`time.perf_counter`) and ended now."""
        seconds = time.perf_counter() - started
        self.rows.append(StageRow(name=name, what=what, seconds=seconds, outcome=outcome))
        get_run_logger().info(f"{name}: {outcome} in {seconds:.1f} s, {what}")


@contextmanager
def ended(context: Context) -> Iterator[None]:
    """Close the MLflow run of the flow with the state in which the flow ends."""
    from sightline.tracking.runs import connect

    tracker = connect(context.paths)
    try:
        yield
    except BaseException:
        tracker.finish(context.run, "FAILED")
        raise
    tracker.finish(context.run)
