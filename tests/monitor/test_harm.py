"""The verdict on accuracy, from labels alone."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.monitor.harm import BLOCK, Verdict, allowed


def series(rate: float, labels: int, seed: int) -> list[tuple[str, bool]]:
    wrong = np.random.default_rng(seed).random(labels) < rate
    return [(str(place), bool(one)) for place, one in enumerate(wrong)]


@pytest.mark.slow
def test_what_is_allowed_is_rarely_called_harm() -> None:
    """Of 300 series that err just as often as is allowed few are ever called harmful."""
    called = 0
    for seed in range(300):
        verdict = Verdict(0.06)
        verdict.enter(series(0.06, 1_000, seed))
        called += verdict.since is not None
    # One in a hundred at most; 8 of 300 come by chance in 1 %.
    assert called <= 8


def test_a_fall_after_good_months_is_called() -> None:
    """Ten points more errors are called within 300 labels, after 300 good ones; for good, with the image's time."""
    found = []
    for seed in range(60):
        verdict = Verdict(0.035)
        verdict.enter(series(0.01, 300, seed))
        assert verdict.since is None
        verdict.enter(series(0.11, 300, 1_000 + seed))
        found.append(verdict.since is not None)
        if verdict.since:
            since = verdict.since
            verdict.enter(series(0.0, 200, seed))
            assert verdict.since == since
    assert np.mean(found) >= 0.85


def test_order_and_parts_of_good_and_bad_count_as_they_come() -> None:
    """In two parts the evidence is that of one."""
    one, two, labels = Verdict(0.1), Verdict(0.1), series(0.2, 3 * BLOCK + 4, 0)
    one.enter(labels)
    two.enter(labels[:30])
    two.enter(labels[30:])
    assert (one.wealth, one.labels, one.wrong) == (two.wealth, two.labels, two.wrong)


def test_expected_factor_is_one_at_the_bound() -> None:
    """Whoever errs just as often as is allowed wins nothing on average."""
    bound, mean = 0.07, 0.0
    verdict = Verdict(bound)
    verdict.enter(series(0.1, 40, 3))
    now, stakes = verdict.wealth, verdict.stakes
    for wrong, share in ((True, bound), (False, 1 - bound)):
        next_one = Verdict(bound, stakes.copy(), verdict.labels, verdict.wrong)
        next_one.enter([("", wrong)])
        mean += share * next_one.wealth
    assert mean == pytest.approx(now, rel=1e-12)


def test_allowed_is_the_bound_and_the_margin() -> None:
    """None wrong of 59 images bounds the error at 5 % (1 - 0.05^(1/59)); all wrong allows everything."""
    assert allowed(np.ones(59, dtype=bool), 0.02) == pytest.approx(1 - 0.05 ** (1 / 59) + 0.02)
    assert allowed(np.zeros(5, dtype=bool), 0.02) == 1.0
    verdict = Verdict(1.0)
    verdict.enter([("", True)] * 500)
    assert verdict.since is None
