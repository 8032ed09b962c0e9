"""Likely errors among boxes, looked for once a run's detector is known; it stops nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import task

from sightline.evaluate import box_errors
from sightline.report.label_errors import write_label_errors
from tasks.pages import link
from tasks.versioning import InputsAndCode, version_of, work_folder

if TYPE_CHECKING:
    from sightline.data.reference import DataRef
    from sightline.evaluate.evaluation import Evaluated
    from sightline.report.label_errors import LabelErrors
    from tasks.context import Context


@task(
    name="find box errors",
    task_run_name="find box errors of {data.use}",
    version=version_of(__name__),
    cache_policy=InputsAndCode(),
    persist_result=True,
)
def find_box_errors(context: Context, data: DataRef, detector: Evaluated) -> LabelErrors:
    """Compare the boxes of each image with those that the detector answers."""
    folder = work_folder(context.paths.root, find_box_errors.fn, data=data, detector=detector)
    suspected = box_errors.find_box_errors(context.paths, data, detector.packed(context.paths.root))
    done = write_label_errors(context.paths, data.use, suspected, folder)
    link(context.paths, context.paths.root / done.path, f"Boxes of {data.use} to look at", f"labels-{data.use}")
    return done
