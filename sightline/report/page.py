"""The page of a run: one HTML file with its pictures and plots inside, readable without network and without server.

Plots are inline SVG or HTML tables, so that they stay sharp, follow the reader's light or dark setting, and can be
read aloud. What a value becomes in pixels is decided here; what it looks like, in `templates/run.html.j2`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sightline.files import write_atomically
from sightline.heads.known import of
from sightline.heads.labels import CLASSIFY
from sightline.report.about import TONES, facts
from sightline.report.axis import Axis, axis, risk_axis, time_axis
from sightline.report.rendering import bar_scale, data_address, templates

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MAX_LABELLED = 30
"""Most classes for which the confusion matrix carries labels and the table per class stands open."""
MAX_PAIRS = 12
"""Most pairs of classes in the list of confusions."""
MAX_POINTS = 100
"""Most points of one line of a plot; longer ones are thinned."""
HEAT_SIDE = 600
"""Approximate side of the unlabelled confusion matrix, in pixels."""
RIGHT_RGB, WRONG_RGB = (37, 99, 235), (234, 107, 12)


@dataclass(frozen=True, kw_only=True)
class StageRow:
    """One stage of the chain."""

    name: str
    what: str
    """What it did, in a few words."""
    seconds: float
    outcome: Literal["ran", "cached", "up to date"]


@dataclass(frozen=True)
class CheckRow:
    """One check of the gate."""

    name: str
    verdict: str
    sentence: str
    figures: Sequence[tuple[str, str]]
    overridden: bool
    tone: str
    """`good`, `bad`, or nothing where the check had nothing to compare with."""


@dataclass(frozen=True, kw_only=True)
class DatasetCard:
    """One data set as the run saw it."""

    use: str
    """`source` or `target`."""
    name: str
    version: str
    """DVC digest."""
    roles: Mapping[str, int]
    """Role → number of images."""
    per_class: Mapping[str, int]
    """Class → number of images."""
    quarantined: Sequence[tuple[str, str]]
    """(path, reason) of each image that was left out."""
    validation_page: str | None
    """Address of the Data Docs page."""
    samples: Mapping[str, Sequence[bytes]]
    """Class → PNG files."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The course of one training run."""

    name: str
    points: Sequence[Mapping[str, float | None]]
    """Each with `epoch` or `step`, and those of `train_loss`, `val_loss`, `val_accuracy` that were
    measured there; one point at least."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """Accuracy of one way to learn the target, with its 95 % interval; all three are shares of 1."""

    name: str
    accuracy: float
    low: float
    high: float
    chosen: bool
    measure: str = "accuracy"
    """What the score is called, where it is another."""


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A test image that the model got wrong."""

    image: bytes
    """PNG file."""
    path: str
    true: str
    predicted: str
    probability: float
    """Of the predicted class."""
    address: str | None
    """Of its file, from the page; None where it has none, as inside a tar file."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The test images of one class that were taken for another one."""

    true: str
    predicted: str
    count: int
    mistakes: tuple[Mistake, ...]
    """The surest of them."""


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """All that the page tells."""

    project: str
    title: str
    created: str
    flow_run: str
    decision: str
    """A word of the ledger: promoted, refused …"""
    decision_sentence: str
    version: str
    findings: Sequence[str]
    """What validation told of the data and what stopped nothing: leaks, copies, odd images."""
    champion: str | None
    """Name and version, or None while there is no champion."""
    checks: tuple[CheckRow, ...]
    """Those of the gate; none where it had nothing to decide."""
    beside: Sequence[tuple[str, str, str]]
    """Figure, candidate, champion; none where there was no champion."""
    stages: tuple[StageRow, ...]
    datasets: tuple[DatasetCard, ...]
    curves: tuple[Curve, ...]
    scores: tuple[Score, ...]
    evaluation: Mapping[str, Any]
    """The figures that `sightline.evaluate.evaluation.evaluate` writes."""
    mistakes: tuple[Mistake, ...]
    """Worst first."""
    cells: tuple[Cell, ...]
    """Of the confusion matrix, most images first."""
    lineage: tuple[tuple[str, str], ...]
    links: tuple[tuple[str, str], ...]
    """(text, address)."""


def write_page(report: RunReport, path: Path) -> Path:
    """Write `report` as one self-contained HTML file at `path` (folders are made); returns `path`."""
    html = templates().get_template("run.html.j2").render(_view(report))
    write_atomically(path, html)
    return path


def _view(report: RunReport) -> dict[str, Any]:
    """Values of the template: the report, and what is worked out from it."""
    evaluation = report.evaluation
    matrix = np.asarray(evaluation.get("confusion", np.empty((0, 0))), dtype=np.int64)
    count, head = len(matrix), of(evaluation.get("task", CLASSIFY))
    return {
        "head": head,
        "cards": head.cards(evaluation),
        "report": report,
        "evaluation": evaluation,
        "matrix": matrix.tolist(),
        "max_labelled": MAX_LABELLED,
        "heat": _heat(matrix) if count > MAX_LABELLED else None,
        "heat_side": count * max(1, round(HEAT_SIDE / max(1, count))),
        "pairs": _confused_pairs(matrix, evaluation["classes"]),
        "anchors": {f"{one.true}\n{one.predicted}": f"cell-{number}" for number, one in enumerate(report.cells, 1)},
        "tone": TONES.get(report.decision, ""),
        "facts": facts(report.version, report.decision, report.title, report.evaluation["accuracy"]),
        "right": int(matrix.trace()),
        "total": sum(row["count"] for row in evaluation["reliability"]),
        "worst_first": sorted(evaluation["per_class"].items(), key=lambda item: item[1]["f1"]),
        "curves": [(curve.name, _panels(curve, head.score)) for curve in report.curves],
        "risk_axis": risk_axis(evaluation),
        "bars": bar_scale([row["f1"] for row in evaluation["per_class"].values()]),
        "slice_bars": bar_scale([row["accuracy"] for row in evaluation["slices"]]),
        "harm_bars": bar_scale([evaluation["robustness"]["clean"], *evaluation["robustness"]["accuracy"].values()]),
        "score_axis": axis([bound for score in report.scores for bound in (score.low, score.high)], 16, 304),
    }


@dataclass(frozen=True)
class _Panel:
    """One plot: lines over a common pair of axes."""

    title: str
    unit: str
    """Name of the x axis."""
    x: Axis
    y: Axis
    lines: dict[str, list[tuple[float, float]]]


def _panels(curve: Curve, score: str) -> list[_Panel]:
    """Loss and score of `curve`, as far as they were measured."""
    unit = "epoch" if "epoch" in curve.points[0] else "step"
    panels = []
    for title, keys in (
        ("loss", {"train": "train_loss", "val": "val_loss"}),
        (score, {"val": "val_accuracy"}),
    ):
        lines = {name: line for name, key in keys.items() if (line := _line(curve, unit, key))}
        if lines:
            points = [point for line in lines.values() for point in line]
            x, y = time_axis([x for x, _ in points], 46, 404), axis([y for _, y in points], 180, 12)
            panels.append(_Panel(title, unit, x, y, lines))
    return panels


def _line(curve: Curve, unit: str, key: str) -> list[tuple[float, float]]:
    """(x, y) where `key` was measured and finite (a diverged loss has no place on a plot), thinned; last one kept."""
    rows = [(row[unit], row.get(key)) for row in curve.points]
    points = [(float(x), float(y)) for x, y in rows if x is not None and y is not None and math.isfinite(y)]
    stride = math.ceil(len(points) / MAX_POINTS) or 1
    return points[::-1][::stride][::-1]


def _confused_pairs(matrix: np.ndarray[Any, Any], classes: Sequence[str]) -> list[tuple[str, str, int, float]]:
    """Rows of true class, predicted class, images, and share of the true class, most images first."""
    wrong = matrix - np.diag(matrix.diagonal())
    order = np.argsort(-wrong, axis=None, kind="stable")[:MAX_PAIRS]
    cells = [divmod(int(index), len(matrix)) for index in order]
    return [
        (classes[row], classes[column], int(wrong[row, column]), float(wrong[row, column] / matrix[row].sum()))
        for row, column in cells
        if wrong[row, column]
    ]


def _heat(matrix: np.ndarray[Any, Any]) -> str:
    """`matrix` as a PNG of one pixel per cell: a picture of 200 x 200 cells is a hundred times smaller than its SVG.

    Opacity is the square root of the share of the true class, so that single mistakes stay visible.
    """
    from PIL import Image

    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    pixels = np.empty((*matrix.shape, 4), dtype=np.uint8)
    pixels[..., :3] = WRONG_RGB
    pixels[np.eye(len(matrix), dtype=bool), :3] = RIGHT_RGB
    pixels[..., 3] = np.round(255 * np.sqrt(share))
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    return data_address(buffer.getvalue(), "png")
