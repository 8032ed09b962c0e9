"""What an answer may cost."""

from __future__ import annotations

from itertools import starmap

import numpy as np
import pytest

from sightline.evaluate.cost import Cost, Rivals
from sightline.registry.blessing import FAILED, NOT_APPLICABLE, PASSED, Bound
from sightline.registry.check_cost import ALPHA, check_cost, median_interval

BOUND = Bound(data="d", code="c", weights="w", release="r")


def rivals(ratios: list[float], memory: float = 300) -> Rivals:
    own, other = starmap(lambda p95, mb: Cost(p50_ms=5, p95_ms=p95, memory_mb=mb), [(12, memory), (10, 300)])
    return Rivals(candidate=own, champion=other, ratios=tuple(ratios))


def test_dearer_model_is_blocked() -> None:
    """A tenth more latency or memory is allowed, a fifth is not."""
    assert check_cost(rivals([1.09] * 40), BOUND).verdict == PASSED
    assert check_cost(rivals([1.2] * 40), BOUND).verdict == FAILED
    assert check_cost(rivals([1.0] * 40, memory=329), BOUND).verdict == PASSED
    assert check_cost(rivals([1.0] * 40, memory=360), BOUND).verdict == FAILED


def test_load_that_meets_both_is_no_fault_of_the_model() -> None:
    """Ratios from a fifth to four that scatter around one, with a 95 % quantile a fifth above the champion's, pass."""
    rng = np.random.default_rng(0)
    verdicts = {check_cost(rivals(np.exp(rng.normal(0, 0.6, 40)).tolist()), BOUND).verdict for _ in range(1000)}
    assert verdicts == {PASSED}


@pytest.mark.slow
def test_interval_of_the_median_errs_as_seldom_as_it_says() -> None:
    """Either end lies beyond the true median in a thousandth of cases at most; few values bound nothing."""
    draws = np.random.default_rng(0).exponential(size=(20_000, 40))
    ends = np.array([median_interval(row.tolist(), ALPHA) for row in draws])
    assert (ends[:, 0] > np.log(2)).mean() <= ALPHA
    assert (ends[:, 1] < np.log(2)).mean() <= ALPHA
    assert median_interval([1.0] * 9, ALPHA) == (0.0, float("inf"))


def test_first_champion_has_no_rival() -> None:
    """Without a champion there is nothing to compare with, which is no pass."""
    assert check_cost(None, BOUND).verdict == NOT_APPLICABLE
