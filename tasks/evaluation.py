"""The test release: the one step that opens its images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import task

from sightline.evaluate import evaluation
from tasks.context import Context, recorded
from tasks.versioning import InputsAndCode, version_of, work_folder

if TYPE_CHECKING:
    from sightline.data.reference import DataRef
    from sightline.evaluate.evaluation import Evaluated
    from sightline.train.result import Trained


@task(
    name="evaluate",
    task_run_name="evaluate {candidate.stage} on release {release}",
    version=version_of(__name__),
    cache_policy=InputsAndCode(),
    persist_result=True,
)
def evaluate(
    data: DataRef, candidate: Trained, others: tuple[Trained, ...], release: str, *, context: Context
) -> Evaluated:
    """Score the candidate, and the others beside it; every figure goes to MLflow."""
    folder = work_folder(
        context.paths.root, evaluate.fn, data=data, candidate=candidate, others=others, release=release
    )
    with recorded(context, "evaluate", data, {"release": release, "candidate": candidate.stage}) as recorder:
        done = evaluation.evaluate(context.paths, folder, candidate, release, others)
        figures = done.figures(context.paths.root)
        names = ("accuracy", "top5", "balanced_accuracy", "log_loss", "brier", "ece_before", "ece_after", "temperature")
        recorder.tracker.log(recorder.run, {name: figures[name] for name in names if figures[name] is not None})
        per_class = {f"f1/{number}": row["f1"] for number, row in enumerate(figures["per_class"].values())}
        recorder.tracker.log(recorder.run, per_class)
        recorder.tracker.artifact(recorder.run, folder / evaluation.FIGURES)
        return done
