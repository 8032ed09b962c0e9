"""The scoring flow: the champion's answers for many images, in a file."""

from __future__ import annotations

from pathlib import Path

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from flows.start import begin
from sightline.registry.served import answering
from sightline.serve.score import MANY, Scored, job
from sightline.serve.score import score as answer
from sightline.tracking.runs import connect
from tasks.journal import ended


@flow(name="score")
def score(images: str, out: str, version: str | int | None = None) -> Scored:
    """Answer many images into a Parquet file; a run that was killed goes on.

    Args:
        images: A folder, a table with a column path, or a tar file; relative to the project.
        out: The Parquet file (.parquet), a row for each image and none of them; relative to the project.
        version: A version of the classifier; by default the champion.
    """
    context, _ = begin("score", None)
    tracker = connect(context.paths)
    with ended(context):
        asked, place = job(images, out, Path())
        seen = 0

        def step(count: int) -> None:
            nonlocal seen
            seen += count
            get_run_logger().info(f"{seen:,} of {len(asked):,} images")

        answers = answering(context.paths, None if version is None else str(version), quick=len(asked) >= MANY)
        done = answer(asked, answers, place, step)
        tracker.log(context.run, {name: float(getattr(done, name)) for name in ("images", "unreadable", "abstained")})
        tracker.tag(context.run, {"version": done.version, "answers": done.path})
        create_markdown_artifact(done.sentence, key="answers")
        return done
