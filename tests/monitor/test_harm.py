"""The verdict on accuracy, from labels alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sightline.monitor.facts import _harm
from sightline.monitor.harm import BLOCK, Verdict, allowed
from sightline.monitor.outcome import Harm, Outcome
from sightline.report.monitor import sentences


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


def test_late_fall_is_told_by_the_labels_since() -> None:
    """After thousands of good labels more than may be are wrong of those that are told; states of before are read."""
    old = Verdict(0.037)
    old.enter(series(0.01, 3_050, 0))
    before = {name: value for name, value in vars(old).items() if name not in {"parts", "fall_labels", "fall_wrong"}}
    for verdict in (old, Verdict(**before)):
        assert verdict.wrong / verdict.labels < verdict.bound
        labels = verdict.labels
        for one in series(0.11, 500, 1):
            if verdict.since is None:
                verdict.enter([one])
        assert verdict.since is not None
        assert verdict.wrong / verdict.labels < verdict.bound
        assert verdict.fall_labels <= verdict.labels - labels + BLOCK
        assert verdict.fall_wrong / verdict.fall_labels > 2 * verdict.bound
        harm = Harm(
            harmed=True, since=verdict.since, e_value=verdict.wealth, threshold=100, bound=verdict.bound,
            labels=verdict.labels, wrong=verdict.wrong, drawn=9_000,
            fall_labels=verdict.fall_labels, fall_wrong=verdict.fall_wrong,
        )  # fmt: skip
        outcome = Outcome(at="2026-11-27T08:00:00+00:00", version="3", digest="abc", reference="def", harm=harm)
        said = f"accuracy fell: {verdict.fall_wrong:g} of {verdict.fall_labels} labelled audit images are wrong, 3.7%"
        assert sentences(outcome)[0].startswith(said)
        assert _harm(outcome)[1] == pytest.approx(verdict.fall_wrong / verdict.fall_labels - 0.037)
        told = outcome.as_json()
        for name in ("fall_labels", "fall_wrong", "asked"):
            del told["harm"][name]
        assert Outcome.from_json(told).harm == replace(harm, fall_labels=0, fall_wrong=0)


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
