"""Images → shards that training maps from disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.logging import get_run_logger

from sightline.data.shards import read_index
from sightline.data.versions import dvc
from tasks.ingestion import is_busy
from tasks.versioning import version_of

if TYPE_CHECKING:
    from sightline.data.versions.dvc import Reproduced
    from sightline.project import Paths


@task(
    name="preprocess",
    task_run_name="preprocess {use}",
    version=version_of(__name__),
    cache_policy=NO_CACHE,
    retries=5,
    retry_delay_seconds=3,
    retry_condition_fn=is_busy,
)
def preprocess(paths: Paths, use: str) -> Reproduced:
    """Reproduce the stage `preprocess` of the data set."""
    done = dvc.reproduce(paths, "preprocess", use)
    get_run_logger().info(f"{use}: {read_index(paths.shards(use)).sentence} (preprocess.fit)")
    return done
