"""Great Expectations on the manifest: nothing is trained on data that it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import task
from prefect.cache_policies import NO_CACHE

from sightline.data.versions import dvc
from tasks.ingestion import is_busy
from tasks.pages import link
from tasks.versioning import version_of

if TYPE_CHECKING:
    from sightline.data.versions.dvc import Reproduced
    from sightline.project import Paths


@task(
    name="validate",
    task_run_name="validate {use}",
    version=version_of(__name__),
    cache_policy=NO_CACHE,
    retries=5,
    retry_delay_seconds=3,
    retry_condition_fn=is_busy,
)
def validate(paths: Paths, use: str) -> Reproduced:
    """Reproduce the stage `validate` of the data set; a failed critical expectation fails the task."""
    try:
        return dvc.reproduce(paths, "validate", use)
    finally:
        pages = {"data-docs": ("Data Docs", paths.docs_page(use)), "quality": ("Quality", paths.quality(use))}
        for key, (title, page) in pages.items():
            if page.is_file():
                link(paths, page, f"{title} of {use}", f"{key}-{use}")
