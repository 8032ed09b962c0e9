"""Likely label errors, looked for while a run has the images at hand; it stops nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import task

from sightline.evaluate import label_errors
from sightline.report.label_errors import write_label_errors
from tasks.pages import link
from tasks.versioning import InputsAndCode, version_of, work_folder

if TYPE_CHECKING:
    from sightline.data.reference import DataRef
    from sightline.report.label_errors import LabelErrors
    from sightline.train.result import Trained
    from tasks.context import Context


@task(
    name="find label errors",
    task_run_name="find label errors of {data.use}",
    version=version_of(__name__),
    cache_policy=InputsAndCode(),
    persist_result=True,
)
def find_label_errors(context: Context, data: DataRef, backbone: Trained | None) -> LabelErrors:
    """Compare each label with what a classifier on frozen features says that never saw it."""
    folder = work_folder(context.paths.root, find_label_errors.fn, data=data, backbone=backbone)
    suspected = label_errors.find_label_errors(context.paths, data, backbone)
    done = write_label_errors(context.paths, data.use, suspected, folder)
    page = context.paths.root / done.path
    link(context.paths, page, f"Labels of {data.use} to look at", f"labels-{data.use}")
    return done
