"""How often the gate lets a worse model through, beside the point comparison on the same draws.

A series is 20 candidates, compared one after another with a champion on one test release of n images. A candidate
differs from the champion on a share of the images (the disagreement) and is truly 0.5 or 1 point worse, or 1 point
better. Candidates are drawn independently: candidates alike would err together, hence in fewer series.

The gate is the production one, `sightline.registry.rules`, with the values of a new project; the point comparison
is MLflow's own `validate_evaluation_results`, told "at least as accurate as the champion".
"""

from __future__ import annotations

import argparse
import json
import logging
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from sightline.params import Gate
from sightline.registry import rules
from sightline.registry.blessing import INSUFFICIENT, PASSED, Bound

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from sightline.evaluate.metrics import BoolArray, IntArray

SERIES, QUICK = 10_000, 1_000
CANDIDATES = rules.CANDIDATES
LIMITS = Gate()
BOUND = Bound(data="", code="", weights="", release="")
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
    insufficient: float
    """Rule `better`, all candidates 1 point better: share of which the gate says that n is insufficient."""
    promoted: float
    """The same draws: share that is promoted; the least over the places 1 … 20 of a series."""
    point_one: float
    """Point comparison, 0.5 point worse: share of candidates that pass."""
    point: float
    """Point comparison, all candidates 0.5 point worse: any passes."""


def main() -> None:
    """Simulate, print a table, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:,} series instead of {SERIES:,}")
    series = QUICK if parser.parse_args().quick else SERIES
    rng = np.random.default_rng(0)
    rows = [measure(n, share, series, rng) for n in SIZES for share in DISAGREEMENTS]
    show(rows, series)
    print(json.dumps(summary(rows)))


def measure(n: int, disagreement: float, series: int, rng: np.random.Generator) -> Row:
    """Draw the series of one size and disagreement, and ask all the rules."""
    half_worse = draw(n, disagreement, -0.005, series, rng)
    at_margin = draw(n, disagreement, -LIMITS.margin, series, rng)
    one_better = draw(n, disagreement, +0.01, series, rng)
    passing = point_comparison(*half_worse, n)
    verdicts = asked(*one_better, n, rules.BETTER)
    return Row(
        n=n,
        disagreement=disagreement,
        better=any_of(asked(*half_worse, n, rules.BETTER) == PASSED),
        no_worse=any_of(asked(*at_margin, n, rules.NO_WORSE) == PASSED),
        insufficient=float(np.mean(verdicts == INSUFFICIENT)),
        promoted=float((verdicts == PASSED).mean(axis=0).min()),
        point_one=float(passing.mean()),
        point=any_of(passing),
    )


def asked(gained: IntArray, lost: IntArray, n: int, rule: rules.Rule) -> NDArray[np.str_]:
    """The verdict of the production gate for each candidate; asked once for each distinct pair of counts."""
    pairs, place = np.unique(np.stack([gained.ravel(), lost.ravel()]), axis=1, return_inverse=True)
    verdicts = np.array([verdict(more, less, n, rule) for more, less in pairs.T.tolist()])
    return verdicts[place].reshape(gained.shape)


def verdict(gained: int, lost: int, n: int, rule: rules.Rule) -> str:
    """What the gate says of two models that answered `n` images, with so many gained and lost."""
    candidate, champion = np.ones(n, dtype=bool), np.ones(n, dtype=bool)
    champion[:gained] = False
    candidate[gained : gained + lost] = False
    return rules.later(candidate, champion, "1", rule, LIMITS, BOUND).verdict


def draw(
    n: int, disagreement: float, difference: float, series: int, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Images gained and lost, each (series, CANDIDATES), at this true difference of the accuracies."""
    gain, loss = (disagreement + difference) / 2, (disagreement - difference) / 2
    counts = rng.multinomial(n, [gain, loss, 1 - disagreement], size=(series, CANDIDATES))
    return counts[..., 0], counts[..., 1]


def any_of(promoted: BoolArray) -> float:
    """Share of the series in which at least one candidate was promoted."""
    return float(promoted.any(axis=1).mean())


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


def show(rows: list[Row], series: int) -> None:
    """Print the table."""
    print(f"{series:,} series of {CANDIDATES} candidates, each compared at {LIMITS.alpha / CANDIDATES}\n")
    print("                any of a series            one candidate, +1 point   -0.5 point, point comparison")
    print("    n  differ   better -0.5  no_worse -1   insufficient  promoted   any of a series  one candidate")
    for row in rows:
        print(
            f"{row.n:5}  {row.disagreement:6.0%}   {row.better:11.4f}  {row.no_worse:11.4f}"
            f"   {row.insufficient:12.3f}  {row.promoted:8.3f}   {row.point:15.3f}  {row.point_one:13.3f}"
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
