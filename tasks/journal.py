"""What a flow run did: each step with its time, and whether it ran, came from the cache or was up to date."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Concatenate, Literal, ParamSpec, TypeVar

from prefect.logging import get_run_logger

from sightline.report.page import StageRow
from tasks.versioning import OutputT, Told, run_trusted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prefect import Task

    from sightline.data.versions.dvc import Reproduced
    from sightline.project import Paths
    from tasks.context import Context

P = ParamSpec("P")
ToldT = TypeVar("ToldT", bound=Told)


class Journal:
    """The steps of one flow run, in order."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.rows: list[StageRow] = []

    def data(self, task: Task[[Paths, str], Reproduced], use: str) -> Reproduced:
        """Run a data task: DVC decides whether there is anything to do."""
        started = time.perf_counter()
        done = task(self.context.paths, use)
        self.note(f"{task.name} {use}", done, started, "ran" if done.ran else "up to date")
        return done

    def cached(self, task: Task[Concatenate[Context, P], OutputT], *args: P.args, **inputs: P.kwargs) -> OutputT:
        """Run a training task: Prefect's cache decides, and its files are checked."""
        started = time.perf_counter()
        output, ran = run_trusted(task, self.context.paths.root, self.context, *args, **inputs)
        self.note(task.name, output, started, "ran" if ran else "cached")
        return output

    def plain(self, task: Task[Concatenate[Context, P], ToldT], *args: P.args, **inputs: P.kwargs) -> ToldT:
        """Run a task that always runs."""
        started = time.perf_counter()
        output = task(self.context, *args, **inputs)
        self.note(task.name, output, started, "ran")
        return output

    def note(self, name: str, done: Told, started: float, outcome: Literal["ran", "cached", "up to date"]) -> None:
        """Add a step that began at `started` (`time.perf_counter`) and ended now."""
        seconds = time.perf_counter() - started
        self.rows.append(StageRow(name=name, what=done.words, seconds=seconds, outcome=outcome))
        get_run_logger().info(f"{name}: {outcome} in {seconds:.1f} s, {done.words}")


@contextmanager
def ended(context: Context) -> Iterator[None]:
    """Close the MLflow run of the flow with the state in which the flow ends.

    Its tasks have no tags: for tags Prefect asks its server for slots, and where a write of its SQLite comes in between
    the task waits two seconds before it asks again.
    """
    from prefect.context import TagsContext

    from sightline.tracking.runs import connect, how_it_ended

    tracker = connect(context.paths)
    try:
        with TagsContext(current_tags=set()):
            yield
    except BaseException as error:
        tracker.finish(context.run, how_it_ended(error))
        raise
    tracker.finish(context.run)
