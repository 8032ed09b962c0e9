"""The test release: the one step that opens its images."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from prefect import task

from sightline.evaluate import evaluation, registered
from sightline.report.plots import keep_pictures
from tasks.context import Context, recorded
from tasks.versioning import InputsAndCode, version_of, work_folder

if TYPE_CHECKING:
    from sightline.data.reference import DataRef
    from sightline.evaluate.evaluation import Evaluated
    from sightline.params import Evaluate
    from sightline.train.result import Trained


@task(
    name="evaluate",
    task_run_name="evaluate {candidate.stage} on release {params.release}",
    version=version_of(__name__),
    cache_policy=InputsAndCode(),
    persist_result=True,
)
def evaluate(
    context: Context, data: DataRef, candidate: Trained, others: tuple[Trained, ...], params: Evaluate
) -> Evaluated:
    """Score the candidate, and the others beside it; every figure goes to MLflow."""
    folder = work_folder(context.paths.root, evaluate.fn, data=data, candidate=candidate, others=others, params=params)
    with recorded(context, "evaluate", data, {"candidate": candidate.stage, **asdict(params)}) as recorder:
        done = evaluation.evaluate(context.paths, folder, candidate, params, others)
        figures = done.figures(context.paths.root)
        tracker, release = recorder.tracker, (f"{recorder.tracker.name}-{params.release}", done.release)
        tracker.log(recorder.run, registered.scalars(figures), data=release)
        registered.keep(tracker, recorder.run, folder)
        keep_pictures(tracker, recorder.run, folder, figures)
        return done
