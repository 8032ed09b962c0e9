"""Likely label errors, looked for while a run has the images at hand; it stops nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import task
from prefect.artifacts import create_link_artifact

from sightline.evaluate import label_errors
from tasks.versioning import InputsAndCode, version_of, work_folder

if TYPE_CHECKING:
    from sightline.data.reference import DataRef
    from sightline.evaluate.label_errors import Doubted
    from sightline.train.result import Trained
    from tasks.context import Context


@task(
    name="doubt labels",
    task_run_name="doubt labels of {data.use}",
    version=version_of(__name__),
    cache_policy=InputsAndCode(),
    persist_result=True,
)
def doubt(data: DataRef, backbone: Trained | None, *, context: Context) -> Doubted:
    """Compare each label with what a classifier on frozen features says that never saw it."""
    folder = work_folder(context.paths.root, doubt.fn, data=data, backbone=backbone)
    done = label_errors.doubt(context.paths, data, backbone, folder)
    page = context.paths.root / done.path
    create_link_artifact(page.as_uri(), link_text=f"Labels of {data.use} to look at", key=f"labels-{data.use}")
    return done
