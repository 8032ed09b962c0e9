"""How a flow begins: the project, the values that count for this run, and the MLflow run above all others."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from flows import values
from flows.recording import open_run
from sightline import config, project, turns
from sightline.evaluate import fixed
from sightline.registry.opening import open_ledger
from sightline.tracking.runs import connect
from tasks.context import Context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.params import Params


@contextmanager
def in_turn(what: str, began: float | None = None) -> Iterator[float]:
    """No other run is at work in the project inside the block; when the clock of its budget starts (`time.time()`).

    That is as long after `began`, by default the call, as was waited for others: their work is no part of the budget.
    """
    began = time.time() if began is None else began
    root = config.find_root()
    with turns.turn(root, what, get_run_logger().warning) as waited:
        values.lift(root)  # of a run that was killed
        try:
            yield began + waited
        finally:
            values.lift(root)


def begin(flow: str, overrides: dict[str, Any] | None, *, save: bool = False) -> tuple[Context, Params]:
    """Enter the project of the working directory and open the MLflow run of this flow run.

    Overrides of data sections are written into params.yaml, because DVC reads them there, and taken back at the end of
    the turn; with `save` all are written, and stay. Raises ConfigError where one does not fit, RegistryError where
    ledger or MLflow cannot be reached.
    """
    paths = project.enter(config.find_root())
    params = config.load(paths.root, overrides)
    fixed.check(paths, params.evaluate.release)
    # Better now than after the training.
    open_ledger(paths).close()
    for told in values.lay(paths.root, overrides or {}, save=save):
        get_run_logger().info(told)
    run, tags = open_run(connect(paths), flow, str(flow_run.get_name() or ""), str(flow_run.get_id() or ""), params)
    labels = tuple(sorted({**tags, "flow.run": run}.items()))
    return Context(str(paths.root), run, labels, params.train.workers), params
