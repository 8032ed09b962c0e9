"""How a flow begins: the project, the values that count for this run, and the MLflow run above all others."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from flows.recording import open_run
from sightline import config, project, turns
from sightline.registry.ledger import open_ledger
from sightline.tracking.runs import connect
from tasks.context import Context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.params import Params


@contextmanager
def in_turn(what: str) -> Iterator[float]:
    """No other run is at work in the project inside the block; the seconds that were waited for that."""
    with turns.turn(config.find_root(), what, get_run_logger().warning) as waited:
        yield waited


def begin(flow: str, overrides: dict[str, Any] | None) -> tuple[Context, Params]:
    """Enter the project of the working directory and open the MLflow run of this flow run.

    Overrides of data sections are written into params.yaml, because DVC reads them there; others count for this run
    alone. Raises ConfigError where one does not fit, RegistryError where ledger or MLflow cannot be reached.
    """
    paths = project.enter(config.find_root())
    params = config.load(paths.root, overrides)
    # Better now than after the training.
    open_ledger(paths).close()
    for key, value in (overrides or {}).items():
        if config.decides_data(key):
            config.write_value(paths.root, key, value)
            get_run_logger().info(f"{key} = {value} is written into {config.PARAMS}: it decides what the data is")
    run, tags = open_run(connect(paths), flow, str(flow_run.get_name() or ""), str(flow_run.get_id() or ""), params)
    labels = tuple(sorted({**tags, "flow.run": run}.items()))
    return Context(str(paths.root), run, labels, params.train.workers), params
