"""How a flow ends: the report, the artifacts on Prefect's page, and a summary for whoever called it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.logging import get_run_logger
from prefect.runtime import flow_run

from flows.complete import record
from flows.summary import Summary
from sightline.data.validation.verdict import Verdict
from sightline.data.validation.verdict import told as verdict_told
from sightline.report.gate import markdown
from sightline.report.run import RunFacts, scores, write_report
from sightline.tracking.runs import connect
from tasks.pages import link

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flows.complete import Complete
    from sightline.data.reference import DataRef
    from sightline.evaluate.evaluation import Evaluated
    from sightline.project import Paths
    from sightline.registry.outcome import Outcome
    from sightline.report.label_errors import LabelErrors
    from sightline.report.page import Score
    from sightline.tracking.runs import Tracker
    from sightline.train.result import Trained
    from tasks.context import Context
    from tasks.journal import Journal


def publish(
    journal: Journal,
    datasets: tuple[DataRef, ...],
    trained: tuple[Trained, ...],
    best: Trained,
    choice: str,
    tested: Evaluated,
    label_errors: LabelErrors | None,
    outcome: Outcome,
) -> Summary:
    """Write the report of a training flow and show it on Prefect's and MLflow's pages."""
    context = journal.context
    findings = tuple(_told(context.paths, datasets))
    report = write_report(
        context.paths,
        RunFacts(
            flow_run=str(flow_run.get_name()),
            rows=tuple(journal.rows),
            datasets=datasets,
            trained=trained,
            best=best,
            choice=choice,
            evaluated=tested,
            label_errors=label_errors,
            outcome=outcome,
            lineage=context.tags,
            findings=findings,
        ),
    )
    rows = scores(tested.figures(context.paths.root), best)
    _artifacts(journal, rows, choice, outcome, report)
    _track(journal, trained, tested, outcome, report)
    backbone = next((one.val_accuracy for one in trained if one.stage == "pretrain" and not one.is_adopted), None)
    return Summary(tuple(journal.rows), backbone, rows, choice, outcome, str(report), findings)


def _told(paths: Paths, datasets: tuple[DataRef, ...]) -> Iterator[str]:
    """What validation found odd about the data, and what stopped nothing."""
    for data in datasets:
        verdict = Verdict.from_json(paths.verdict(data.use).read_text(encoding="utf-8"))
        yield from (f"{data.use}: {sentence}" for sentence in verdict_told(verdict))


def told(tracker: Tracker, context: Context, known: Complete) -> Summary:
    """Say on Prefect's and MLflow's pages that nothing has changed since the complete run; its summary."""
    get_run_logger().info(known.sentence)
    record(tracker, context.run, known)
    link(context.paths, Path(known.summary.report), "Report of the last run", "report")
    return known.summary


def _artifacts(journal: Journal, rows: tuple[Score, ...], choice: str, outcome: Outcome, report: Path) -> None:
    stages = [
        {"stage": row.name, "outcome": row.outcome, "seconds": round(row.seconds, 1), "what": row.what}
        for row in journal.rows
    ]
    create_table_artifact(stages, key="stages", description="What each stage did")
    lines = [f"| {row.name} | {row.accuracy:.3f} | {row.low:.3f} to {row.high:.3f} |" for row in rows]
    table = "\n".join([f"| target | test {rows[0].measure} | 95 % interval |", "|---|---|---|", *lines])
    champion = outcome.champion or "none"
    text = f"{markdown(outcome)}\n\nChampion: {champion}\n\n{table}\n\n{choice}\n"
    create_markdown_artifact(text, key="results", description="Accuracy and the decision of the gate")
    paths = journal.context.paths
    shown = connect(paths).address(journal.context.run, f"report/{report.name}")
    link(paths, report, "Report of this run", "report", shown)


def _track(journal: Journal, trained: tuple[Trained, ...], tested: Evaluated, outcome: Outcome, report: Path) -> None:
    context = journal.context
    tracker = connect(context.paths)
    tracker.log(context.run, {"test_accuracy": tested.accuracy, "seconds": sum(row.seconds for row in journal.rows)})
    runs = {f"run.{one.stage}": one.run for one in trained}
    tracker.tag(
        context.run, {**runs, "gate": outcome.sentence, "version": outcome.version, "champion": outcome.champion or ""}
    )
    own = tracker.version(tracker.classifier_model, outcome.version).run_id
    # That of the training, to which the page of the version leads, may be another.
    for run in {context.run, own if own and tracker.run(own) else context.run}:
        tracker.artifact(run, report, "report")
    if outcome.blessings:
        tracker.describe_version(outcome.version, outcome.decision, markdown(outcome))
