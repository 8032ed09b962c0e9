"""Plots of an evaluation as pictures by themselves, for places that show files, such as MLflow's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sightline.evaluate.registered import FOLDER
from sightline.files import write_atomically
from sightline.report.axis import risk_axis
from sightline.report.rendering import templates

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sightline.tracking.runs import Tracker

MOST = 60
"""Classes of a confusion matrix that is drawn."""
STYLE = (
    "<style>svg { background: #fff; font: 11px system-ui, sans-serif } text { fill: #5b6775 } "
    ".grid { stroke: #e1e5ea } .ideal { stroke: #5b6775; stroke-dasharray: 4 4 } .gap { stroke: #ea6b0c } "
    ".bin { fill: #2563eb; fill-opacity: .6 } .before { fill: none; stroke: #5b6775 } "
    "polyline { fill: none; stroke: #2563eb; stroke-width: 2 }</style>"
)


def keep_pictures(tracker: Tracker, run: str, folder: Path, figures: Mapping[str, Any]) -> None:
    """Write the pictures of an evaluation into `folder`, and store them with a run."""
    for name, picture in pictures(figures).items():
        write_atomically(folder / f"{name}.svg", picture)
        tracker.artifact(run, folder / f"{name}.svg", FOLDER)


def pictures(evaluation: Mapping[str, Any]) -> dict[str, str]:
    """Name → SVG file of the reliability diagram, the risk-coverage curve and, if any, the confusion matrix."""
    plots: Any = templates().get_template("plots.j2").module
    total = sum(row["count"] for row in evaluation["reliability"])
    # Where an image may have several labels none is taken for another.
    shown = "confusion" in evaluation and len(evaluation["classes"]) <= MOST
    matrix = {"confusion": str(plots.confusion(evaluation, STYLE)).strip()} if shown else {}
    return matrix | {
        "reliability": str(plots.reliability(evaluation, total, STYLE)).strip(),
        "risk_coverage": str(plots.risk_coverage(evaluation, risk_axis(evaluation), STYLE)).strip(),
    }
