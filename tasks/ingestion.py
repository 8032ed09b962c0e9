"""Raw images → manifest, under DVC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from sightline.data import manifest, traits
from sightline.data.versions import history
from sightline.data.versions.dvc import Reproduced, StoreBusy
from tasks.versioning import version_of

if TYPE_CHECKING:
    from prefect import Task
    from prefect.client.schemas.objects import State, TaskRun

    from sightline.project import Paths


def is_busy(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a data task failed only because another DVC command held the lock: worth another try."""
    return isinstance(state.result(raise_on_failure=False), StoreBusy)


@task(
    name="ingest",
    task_run_name="ingest {use}",
    version=version_of(__name__),
    cache_policy=NO_CACHE,
    retries=5,
    retry_delay_seconds=3,
    retry_condition_fn=is_busy,
)
def ingest(paths: Paths, use: str) -> Reproduced:
    """Bring the raw folder under DVC as it is now, reproduce the stage `ingest`, and log a new version."""
    from sightline.data.ingest import left_aside, told

    done = history.ingest(paths, use)
    rows, task = manifest.read(paths.manifest(use)), paths.params.task_of(use)
    aside = left_aside(paths.raw(use), rows, task)
    for sentence in (told(rows, task), *traits.read(paths.traits(use)).sentences(), *aside):
        get_run_logger().info(f"{use}: {sentence}")
    return done
