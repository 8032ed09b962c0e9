"""Gather what a flow run left behind into the page about it."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from sightline.data import manifest
from sightline.data.duplicates.across import picture
from sightline.data.files.facts import read_bytes
from sightline.heads.known import of
from sightline.heads.labels import LABELS
from sightline.images.reading import UnreadableImage, png
from sightline.names import plain
from sightline.params import ROLES
from sightline.report.gate import beside, check_rows
from sightline.report.index import write_index
from sightline.report.page import Cell, Curve, DatasetCard, Mistake, RunReport, Score, StageRow, write_page

if TYPE_CHECKING:
    from pathlib import Path

    from sightline.data.reference import DataRef
    from sightline.evaluate.evaluation import Evaluated
    from sightline.project import Paths
    from sightline.registry.outcome import Outcome
    from sightline.report.label_errors import LabelErrors
    from sightline.train.result import Trained

SAMPLES = 6
PICTURES, PER_CELL, SIDE = 120, 8, 96
"""Pictures of confused images in all and in a cell, and their longest side in pixels."""
STAGE_NAMES = {"scratch": "from scratch", "transfer": "linear head", "finetune": "fine-tuned", "pretrain": "backbone"}


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """Everything that a run has to tell."""

    flow_run: str
    rows: tuple[StageRow, ...]
    datasets: tuple[DataRef, ...]
    trained: tuple[Trained, ...]
    best: Trained
    choice: str
    evaluated: Evaluated
    label_errors: LabelErrors | None
    """None where nobody asked, as in a run within a time budget."""
    outcome: Outcome
    lineage: tuple[tuple[str, str], ...]
    findings: tuple[str, ...]
    """What validation told of the data."""


def write_report(paths: Paths, facts: RunFacts) -> Path:
    """Write the page about a run below `reports/`; its path."""
    figures = facts.evaluated.figures(paths.root)
    name = paths.params.project.name
    champion = f"{name}-classifier version {facts.outcome.champion}" if facts.outcome.champion else None
    version, decision = facts.outcome.version, facts.outcome.decision
    page = RunReport(
        project=name,
        title=f"{name} version {version}: {decision}",
        decision=decision,
        version=version,
        findings=facts.findings,
        created=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
        flow_run=facts.flow_run,
        decision_sentence=f"{facts.outcome.words[0].upper()}{facts.outcome.words[1:]}.",
        champion=champion,
        checks=check_rows(facts.outcome),
        beside=beside(facts.outcome),
        stages=facts.rows,
        datasets=tuple(_card(paths, data) for data in facts.datasets),
        curves=tuple(Curve(name=STAGE_NAMES[one.stage], points=one.history) for one in facts.trained if one.history),
        scores=scores(figures, facts.best),
        evaluation=figures,
        mistakes=tuple(_mistake(paths, row) for row in figures["mistakes"]),
        cells=_cells(paths, facts.evaluated, figures["classes"]),
        lineage=(("choice", facts.choice), *facts.lineage),
        links=_links(paths, facts.datasets, facts.label_errors),
    )
    written = write_page(page, paths.reports / f"{plain(facts.flow_run)}.html")
    write_index(paths)
    return written


def scores(figures: dict[str, Any], best: Trained) -> tuple[Score, ...]:
    """Test accuracy of each way to learn the target, in the order in which they are told."""
    order = [stage for stage in STAGE_NAMES if stage != "pretrain"]
    rows = sorted(figures["comparison"], key=lambda row: order.index(row["stage"]))
    return tuple(
        Score(
            name=STAGE_NAMES[row["stage"]],
            accuracy=row["accuracy"],
            low=row["low"],
            high=row["high"],
            chosen=row["stage"] == best.stage,
            measure=of(best.task).score,
        )
        for row in rows
    )


def _card(paths: Paths, data: DataRef) -> DatasetCard:
    rows = manifest.read(paths.manifest(data.use))
    usable = rows[rows["status"] == manifest.OK]
    refused = rows[rows["status"] == manifest.QUARANTINED]
    page = paths.docs_page(data.use)
    return DatasetCard(
        use=data.use,
        name=f"{paths.params.project.name}-{data.use}",
        version=data.version,
        roles={role: dict(data.counts)[role] for role in ROLES if role in dict(data.counts)},
        per_class={name: int(there.sum()) for name, there in LABELS[data.task].members(usable["label"]).items()},
        quarantined=list(zip(refused["path"], refused["reason"], strict=True)),
        validation_page=_link(paths, page) if page.is_file() else None,
        samples=_samples(paths, data),
    )


def _samples(paths: Paths, data: DataRef) -> dict[str, list[bytes]]:
    """A few training images of each class."""
    from sightline.data.loader import load

    images = load(paths.shards(data.use), "train")
    inside = of(images.task).shares(images.labels, len(images.classes)).numpy() > 0
    found: dict[str, list[bytes]] = {}
    for number, name in enumerate(images.classes[:40]):
        rows = np.flatnonzero(inside[:, number])[:SAMPLES]
        found[name] = [png(images.pixels[row].permute(1, 2, 0).numpy()) for row in rows.tolist()]
    return found


def _cells(paths: Paths, evaluated: Evaluated, classes: list[str]) -> tuple[Cell, ...]:
    """The cells of the confusion matrix off its diagonal, with pictures of the first of each as far as they go."""
    found: dict[tuple[str, str], list[tuple[str, float]]] = {}
    for name, row, column, sure in evaluated.wrong(paths.root):
        found.setdefault((classes[row], classes[column]), []).append((name, sure))
    cells, left = [], PICTURES
    for (true, predicted), wrong in sorted(found.items(), key=lambda item: -len(item[1])):
        shown = []
        for path, probability in wrong[: min(left, PER_CELL)]:
            image = _picture(paths, path)
            if image is not None:
                address = _address(paths, path)
                one = Mistake(
                    image=image, path=path, true=true, predicted=predicted, probability=probability, address=address
                )
                shown.append(one)
        left -= len(shown)
        if shown:
            cells.append(Cell(true=true, predicted=predicted, count=len(wrong), mistakes=tuple(shown)))
    return tuple(cells)


def _picture(paths: Paths, path: str) -> bytes | None:
    """None where the file can no longer be read."""
    try:
        return picture(read_bytes(paths.raw("target"), path), SIDE)
    except (OSError, UnreadableImage):
        return None


def _address(paths: Paths, path: str) -> str | None:
    """Of an image of the target, from the report; a member of a tar file has none."""
    file = paths.raw("target") / path
    return _link(paths, file) if file.is_file() else None


def _mistake(paths: Paths, row: dict[str, Any]) -> Mistake:
    return Mistake(
        image=base64.b64decode(row["png"]),
        address=_address(paths, row["path"]),
        path=row["path"],
        true=row["true"],
        predicted=row["predicted"],
        probability=row["probability"],
    )


def _links(
    paths: Paths, datasets: tuple[DataRef, ...], label_errors: LabelErrors | None
) -> tuple[tuple[str, str], ...]:
    pages = [
        (f"{title} of {data.use}", page)
        for data in datasets
        for title, page in (("Data Docs", paths.docs_page(data.use)), ("Quality", paths.quality(data.use)))
    ]
    if label_errors is not None and label_errors.labels:
        pages.append((f"Labels that are probably wrong ({label_errors.labels:,})", paths.root / label_errors.path))
    return tuple((title, _link(paths, page)) for title, page in pages if page.is_file())


def _link(paths: Paths, page: Path) -> str:
    """From the report to another page of the project, wherever the project lies."""
    return quote(os.path.relpath(page, paths.reports))
