"""The page of a search for better values: what was found, every trial, and which values mattered."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

from sightline.files import write_atomically
from sightline.report.axis import axis, time_axis
from sightline.report.rendering import data_address, templates
from sightline.tune.search import AGAIN, asked_by, finished, is_complete
from sightline.tune.space import RUNG

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sightline.project import Paths
    from sightline.tune.objective import Objective
    from sightline.tune.search import Found
    from sightline.tune.study import Search

FEW = 4
"""Whole trials from which on Optuna is asked which values mattered."""
PLOT = (60, 700, 180, 12)
"""Left, right, bottom and top of the plot's axes, pixels."""


def write_tune_page(paths: Paths, looking: Search, best: Found) -> Path:
    """Write `reports/tune.html`; its path."""
    rows = [
        {
            "number": trial.number,
            "value": trial.value if is_complete(trial) else None,
            "again": looking.study.user_attrs.get(f"{AGAIN} {trial.number}"),
            "score": trial.user_attrs.get("score"),
            "seconds": trial.user_attrs.get("seconds"),
            "asked": asked_by(looking, trial),
            # By which way it was trained stands among them where several are searched.
            "values": {name.rpartition(".")[2]: _shown(one) for name, one in trial.params.items() if name != RUNG},
            "best": trial.number == best.number,
        }
        for trial in sorted(finished(looking), key=lambda trial: trial.number)
    ]
    html = (
        templates()
        .get_template("tune.html.j2")
        .render(
            title=f"{paths.params.project.name}: search for better values",
            best=best,
            share=looking.length.share,
            rows=rows,
            is_repeated=any(row["again"] is not None for row in rows),
            plot=_course(rows, looking.objective),
            importance=_importance(looking),
        )
    )
    path = paths.reports / "tune.html"
    write_atomically(path, html)
    return path


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _course(rows: list[dict[str, Any]], objective: Objective) -> dict[str, Any]:
    """Every whole trial as a point, and the best so far as a line."""
    whole = [(row["number"], row["value"]) for row in rows if row["value"] is not None]
    left, right, bottom, top = PLOT
    x = time_axis([number for number, _ in whole], left, right)
    y = axis([0.0, *(value for _, value in whole)], bottom, top)
    return {"x": x, "y": y, "points": whole, "line": list(_so_far(whole, objective))}


def _so_far(whole: list[tuple[int, float]], objective: Objective) -> Iterator[tuple[int, float]]:
    for place, (number, _) in enumerate(whole):
        yield number, min((value for _, value in whole[: place + 1]), key=objective.place)


def _importance(looking: Search) -> str | None:
    """Optuna's own plot of which values mattered, as an address that holds it; None where there are too few trials."""
    if sum(is_complete(trial) for trial in finished(looking)) < FEW:
        return None
    import matplotlib.style
    from matplotlib import pyplot as plt
    from optuna.visualization.matplotlib import plot_param_importances

    plt.switch_backend("agg")
    # Optuna sets another style for the whole process.
    with matplotlib.style.context("default"):
        plot_param_importances(looking.study)
        figure = plt.gcf()
        figure.set_size_inches(8, 4)
        out = BytesIO()
        figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None})
        plt.close(figure)
    return data_address(out.getvalue(), "svg+xml")
