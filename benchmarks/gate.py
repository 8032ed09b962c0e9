"""How often the gate lets a worse model through, beside the point comparison on the same draws.

A series is 20 candidates, compared one after another with a champion on one test release of n images. A candidate
differs from the champion on a share of the images (the disagreement) and is truly 0.5 or 1 point worse, or 1 point
better. Candidates are drawn independently: candidates alike would err together, hence in fewer series.

The rules are the functions of `sightline.evaluate.compare`; the point comparison is MLflow's own
`validate_evaluation_results`, told "at least as accurate as the champion".
"""

from __future__ import annotations

import argparse
import json
import logging
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from sightline.evaluate.compare import mcnemar_p, no_worse_p, power_one_point

if TYPE_CHECKING:
    from sightline.evaluate.metrics import BoolArray, IntArray

SERIES = 10_000
CANDIDATES = 20
ALPHA = 0.05 / CANDIDATES
MARGIN = 0.01
SIZES = (360, 1000, 5000)
DISAGREEMENTS = (0.04, 0.06, 0.08)
MARKS = {"better_half_point_worse": 0.01, "no_worse_at_the_margin": 0.05, "better_one_point_better": 0.7}


@dataclass(frozen=True, kw_only=True)
class Row:
    """What happened at one size and disagreement; shares of series, or of candidates where it says so."""

    n: int
    disagreement: float
    better: float
    """Rule `better`, all candidates 0.5 point worse: any is promoted."""
    no_worse: float
    """Rule `no_worse`, all candidates exactly at the margin: any is promoted."""
    shown: float
    """Rule `better`, all candidates 1 point better: p small enough; the least over the places 1 … 20 of a series."""
    insufficient: float
    """The same draws: share of candidates for which n has less than half the power at the disagreement seen."""
    promoted: float
    """The same draws: shown, and n not insufficient; the least over the places."""
    point_one: float
    """Point comparison, 0.5 point worse: share of candidates that pass."""
    point: float
    """Point comparison, all candidates 0.5 point worse: any passes."""


def main() -> None:
    """Simulate, print a table, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="changes nothing: the whole run takes seconds")
    parser.parse_args()
    rng = np.random.default_rng(0)
    rows = [measure(n, share, rng) for n in SIZES for share in DISAGREEMENTS]
    show(rows)
    print(json.dumps(summary(rows)))


def measure(n: int, disagreement: float, rng: np.random.Generator) -> Row:
    """Draw the series of one size and disagreement, and ask all the rules."""
    half_worse = draw(n, disagreement, -0.005, rng)
    at_margin = draw(n, disagreement, -MARGIN, rng)
    one_better = draw(n, disagreement, +0.01, rng)
    passing = point_comparison(*half_worse, n)
    shown = mcnemar_p(*one_better) <= ALPHA
    enough = sufficient(*one_better, n)
    return Row(
        n=n,
        disagreement=disagreement,
        # Without "insufficient", which could only stop more of them.
        better=any_of(mcnemar_p(*half_worse) <= ALPHA),
        no_worse=any_of(no_worse_p(*at_margin, n, MARGIN) <= ALPHA),
        shown=float(shown.mean(axis=0).min()),
        insufficient=float(np.mean(~enough)),
        promoted=float((shown & enough).mean(axis=0).min()),
        point_one=float(passing.mean()),
        point=any_of(passing),
    )


def draw(n: int, disagreement: float, difference: float, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Images gained and lost, each (SERIES, CANDIDATES), at this true difference of the accuracies."""
    gain, loss = (disagreement + difference) / 2, (disagreement - difference) / 2
    counts = rng.multinomial(n, [gain, loss, 1 - disagreement], size=(SERIES, CANDIDATES))
    return counts[..., 0], counts[..., 1]


def any_of(promoted: BoolArray) -> float:
    """Share of the series in which at least one candidate was promoted."""
    return float(promoted.any(axis=1).mean())


def sufficient(gained: IntArray, lost: IntArray, n: int) -> BoolArray:
    """Where the gate would find n large enough for the disagreement that it sees."""
    counts, place = np.unique(gained + lost, return_inverse=True)
    enough = np.array([power_one_point(n, count / n, ALPHA) >= 0.5 for count in counts.tolist()])
    return enough[place].reshape(gained.shape)


def point_comparison(gained: IntArray, lost: IntArray, n: int) -> BoolArray:
    """Where MLflow's validation lets the candidate pass; asked once for each distinct difference of the accuracies."""
    differences, place = np.unique(gained - lost, return_inverse=True)
    passes = np.array([mlflow_passes(round(0.9 * n), difference, n) for difference in differences.tolist()])
    return passes[place].reshape(gained.shape)


def mlflow_passes(champion_right: int, difference: int, n: int) -> bool:
    """Whether MLflow accepts a candidate that is right in `difference` more of `n` images than the champion."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow
    from mlflow.models import MetricThreshold
    from mlflow.models.evaluation import EvaluationResult
    from mlflow.models.evaluation.validation import ModelValidationFailedException

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    at_least = {"accuracy": MetricThreshold(min_relative_change=0.0, greater_is_better=True)}  # type: ignore[no-untyped-call]
    candidate = EvaluationResult(metrics={"accuracy": (champion_right + difference) / n}, artifacts={})  # type: ignore[no-untyped-call]
    champion = EvaluationResult(metrics={"accuracy": champion_right / n}, artifacts={})  # type: ignore[no-untyped-call]
    try:
        mlflow.validate_evaluation_results(at_least, candidate, champion)
    except ModelValidationFailedException:
        return False
    return True


def show(rows: list[Row]) -> None:
    """Print the table."""
    print(f"{SERIES:,} series of {CANDIDATES} candidates, each tested at p ≤ {ALPHA}\n")
    print("                any of a series            one candidate, +1 point           -0.5 point, point comparison")
    print("    n  differ   better -0.5  no_worse -1   shown  insufficient  promoted     any of a series  one candidate")
    for row in rows:
        print(
            f"{row.n:5}  {row.disagreement:6.0%}   {row.better:11.4f}  {row.no_worse:11.4f}"
            f"   {row.shown:5.3f}  {row.insufficient:12.3f}  {row.promoted:8.3f}"
            f"     {row.point:15.3f}  {row.point_one:13.3f}"
        )
    print()


def summary(rows: list[Row]) -> dict[str, object]:
    """Worst figures against the marks, with all rows below them."""
    (powered,) = (row for row in rows if (row.n, row.disagreement) == (5000, 0.04))
    figures = {
        "better_half_point_worse": max(row.better for row in rows),
        "no_worse_at_the_margin": max(row.no_worse for row in rows),
        "better_one_point_better": powered.promoted,
    }
    met = (
        figures["better_half_point_worse"] <= MARKS["better_half_point_worse"]
        and figures["no_worse_at_the_margin"] <= MARKS["no_worse_at_the_margin"]
        and figures["better_one_point_better"] >= MARKS["better_one_point_better"]
    )
    return {"name": "gate", "figures": {**figures, "rows": [asdict(row) for row in rows]}, "marks": MARKS, "met": met}


if __name__ == "__main__":
    main()
