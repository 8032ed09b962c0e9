"""The training flow where nobody asks for it: on a signal or at night, and only where the policy says so."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.logging import get_run_logger

from flows.start import in_turn
from flows.summary import Summary  # noqa: TC001 — Prefect reads the annotations of a flow
from flows.train import train
from sightline import config, project
from sightline.data.versions import history
from sightline.files import replacing
from sightline.labelling import chosen
from sightline.monitor.facts import gather
from sightline.monitor.policy import decide
from sightline.report.labelling import write_captured
from tasks.pages import link

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sightline.project import Paths

MOST = 500
"""Images that one page asks about."""


@flow(name="train")
def retrain(signal: str = "") -> Summary | None:
    """Ask the policy, and train where it says so; else say why not, and which images to label.

    Args:
        signal: What happened, such as sightline.harm.
    """
    paths, log = project.enter(config.find_root()), get_run_logger()
    with in_turn("the retrain flow"):
        # Images that were put into the raw folder count, too; where nothing changed DVC says so at once.
        history.ingest(paths, "target")
        decision = decide(gather(paths), paths.params.retrain)
        said = f"{signal}: {decision.sentence}" if signal else decision.sentence
        log.info(said)
        create_markdown_artifact(said, key="why-retrain", description="What the retrain policy decided")
        if decision.ask and (page := _asked(paths, min(decision.ask, MOST), log.warning)) is not None:
            log.info(f"images whose labels would help: {page}")
            link(paths, page, "Images to label", "labelling-queue")
        return train.fn() if decision.train else None


def _asked(paths: Paths, count: int, warn: Callable[[str], None]) -> Path | None:
    """The page; None where there is none, and `warn` hears why it could not be made."""
    try:
        return _queue(paths, count)
    except Exception as error:  # noqa: BLE001 — the training waits for no page, whatever keeps it from being made
        warn(f"no page with images to label could be made: {error}")
        return None


def _queue(paths: Paths, count: int) -> Path | None:
    """The page of the day with images to label; None where no picture of any was kept."""
    folder = paths.reports / "labelling" / f"{datetime.now(UTC):%Y-%m-%d}"
    page = folder / "index.html"
    if page.is_file():
        return page
    images = chosen.for_champion(paths, count).images
    if not images:
        return None
    title = f"{paths.params.project.name}: images to label"
    # One that a killed run began, without its page, makes room for this.
    with replacing(folder) as scratch:
        write_captured(paths, scratch, images, title, suggest=False)
    return page
