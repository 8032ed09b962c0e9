from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from sightline.evaluate.compare import (
    attainable,
    difference_interval,
    discordant,
    holm,
    images_needed,
    interval,
    no_worse,
    no_worse_p,
    power,
)
from sightline.evaluate.paired import Paired, mcnemar_p, paired

ALPHA = 0.05 / 20
COUNTS = st.integers(0, 60)


def models(gained: int, lost: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Champion and candidate with these discordant images; half of the others are right in both."""
    champion = np.arange(n) < (gained + lost + n) // 2
    candidate = champion.copy()
    champion[:gained], candidate[:gained] = False, True
    champion[gained : gained + lost], candidate[gained : gained + lost] = True, False
    return champion, candidate


def pair(gained: int, lost: int, n: int) -> Paired:
    """The same, compared."""
    return paired(*models(gained, lost, n))


def pair_distribution(n: int, disagreement: float, difference: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All likely counts gained (rows) and lost (columns), and how likely each pair of them is."""
    gain, loss = (disagreement + difference) / 2, (disagreement - difference) / 2
    gained = np.arange(stats.binom.isf(1e-12, n, gain) + 1)[:, None]
    lost = np.arange(stats.binom.isf(1e-12, n, loss) + 1)[None, :]
    chance = stats.binom.pmf(lost, n, loss) * stats.binom.pmf(gained, n - lost, gain / (1 - loss))
    return gained, lost, chance


def log_likelihood(gain: float, loss: float, gained: int, lost: int, n: int) -> float:
    """Log probability of the counts where the candidate gains and loses these shares."""
    shares, counts = np.array([gain, loss, 1 - gain - loss]), np.array([gained, lost, n - gained - lost])
    return float(stats.multinomial.logpmf(counts, n, shares))


def test_discordant_images_are_counted() -> None:
    """Gained are those that only the candidate has right, lost those that only the champion has."""
    assert discordant(*models(4, 2, 20)) == (4, 2)


def test_counts_of_any_shape_give_the_same_p() -> None:
    """The functions on counts say for each pair what those on answers say."""
    gained, lost = np.array([[0, 3], [12, 30]]), np.array([[0, 9], [2, 30]])
    better, worse = mcnemar_p(gained, lost), no_worse_p(gained, lost, 200, 0.05)
    assert better.shape == worse.shape == (2, 2)
    for place in np.ndindex(2, 2):
        answers = pair(int(gained[place]), int(lost[place]), 200)
        assert better[place] == answers.better
        assert worse[place] == no_worse(answers, 0.05, ALPHA).p


def test_interval_is_the_published_one() -> None:
    """Airway reactivity, 1 against 7 of 21 pairs: -0.517 … -0.026 (Fagerland et al. 2014)."""
    assert difference_interval(1, 7, 21, 0.025) == pytest.approx((-0.517, -0.026), abs=5e-4)


@pytest.mark.parametrize(("gained", "lost", "n"), [(5, 9, 100), (0, 4, 50), (30, 11, 400), (1, 0, 30)])
def test_interval_ends_where_the_score_test_does(gained: int, lost: int, n: int) -> None:
    """At each end the deviation, with the most likely nuisance found by search, is the normal quantile."""
    for end, z in zip(difference_interval(gained, lost, n, 0.025), (1.959964, -1.959964), strict=True):
        found = optimize.minimize_scalar(
            lambda loss, end=end: -log_likelihood(loss + end, loss, gained, lost, n),
            bounds=(max(0, -end) + 1e-12, (1 - end) / 2 - 1e-12),
            method="bounded",
            options={"xatol": 1e-12},
        )
        deviation = np.sqrt(n * (2 * found.x + end - end**2))
        assert (gained - lost - n * end) / deviation == pytest.approx(z, abs=1e-4)


@given(COUNTS, COUNTS, st.integers(1, 500), st.sampled_from([0.001, ALPHA, 0.025, 0.2]))
@settings(deadline=None)
def test_interval_is_sound(gained: int, lost: int, same: int, alpha: float) -> None:
    """It lies in -1 … 1, holds the difference seen, and turns round with the models."""
    n = gained + lost + same
    low, high = difference_interval(gained, lost, n, alpha)
    assert -1 <= low < (gained - lost) / n < high <= 1
    assert difference_interval(lost, gained, n, alpha) == pytest.approx((-high, -low), abs=1e-9)


def test_interval_reaches_the_ends() -> None:
    """Where all images changed the same way the interval ends at 1 or -1."""
    assert difference_interval(5, 0, 5, 0.025)[1] == 1
    assert difference_interval(0, 5, 5, 0.025)[0] == -1


@given(COUNTS, COUNTS, st.integers(1, 3000), st.sampled_from([0.005, 0.01, 0.03]))
@settings(deadline=None)
def test_verdict_is_the_interval_above_the_margin(gained: int, lost: int, same: int, margin: float) -> None:
    """Passing and a low end above the margin are one and the same."""
    verdict = no_worse(pair(gained, lost, gained + lost + same), margin, ALPHA)
    assume(abs(verdict.p - ALPHA) > 1e-9)
    assert verdict.passed == (verdict.low > -margin)
    assert verdict.difference == (gained - lost) / (gained + lost + same)


@pytest.mark.parametrize("n", [360, 1000, 5000])
@pytest.mark.parametrize("disagreement", [0.015, 0.04, 0.08])
def test_no_rule_errs_more_often_than_it_says(n: int, disagreement: float) -> None:
    """Computed over all counts: equal models pass `better`, ones at the margin pass `no_worse`, in at most alpha."""
    gained, lost, chance = pair_distribution(n, disagreement, 0.0)
    assert float(chance[mcnemar_p(gained, lost) <= ALPHA].sum()) <= ALPHA
    gained, lost, chance = pair_distribution(n, disagreement, -0.01)
    assert float(chance[no_worse_p(gained, lost, n, 0.01) <= ALPHA].sum()) <= ALPHA


@pytest.mark.parametrize(("n", "disagreement"), [(360, 0.03), (1000, 0.06), (5000, 0.04), (2000, 0.5)])
def test_power_is_the_share_of_better_candidates_that_pass(n: int, disagreement: float) -> None:
    """The formula equals the sum over all counts of a candidate that is one point better."""
    gained, lost, chance = pair_distribution(n, disagreement, 0.01)
    shown = float(chance[mcnemar_p(gained, lost) <= ALPHA].sum())
    assert power(n, disagreement, ALPHA) == pytest.approx(shown, abs=1e-8)


def test_power_at_the_sizes_that_the_gate_meets() -> None:
    """5,000 images at 4 % disagreement show a point in about three of four cases, 360 hardly ever."""
    assert power(5000, 0.04, ALPHA) == pytest.approx(0.753, abs=0.001)
    assert power(360, 0.03, ALPHA) < 0.02
    assert power(5000, 0.0, ALPHA) == power(5000, 0.01, ALPHA)


@pytest.mark.parametrize("disagreement", [0.0, 0.02, 0.06, 0.3])
def test_images_needed_are_just_enough(disagreement: float) -> None:
    """One image fewer has less than the wanted power, and the number is near z² · d / 0.01² of the normal theory."""
    n = images_needed(disagreement, ALPHA)
    assert power(n, disagreement, ALPHA) >= 0.5 > power(n - 1, disagreement, ALPHA)
    assert n == pytest.approx(stats.norm.isf(ALPHA) ** 2 * max(disagreement, 0.01) / 0.01**2, rel=0.12)
    assert images_needed(disagreement, ALPHA, least=0.8) > n


def test_larger_gains_need_fewer_images() -> None:
    """Power and number for a gain of five points are those of a candidate that is five points better."""
    gained, lost, chance = pair_distribution(400, 0.1, 0.05)
    shown = float(chance[mcnemar_p(gained, lost) <= ALPHA].sum())
    assert power(400, 0.1, ALPHA, 0.05) == pytest.approx(shown, abs=1e-8)
    assert images_needed(0.1, ALPHA, gain=0.05) < images_needed(0.1, ALPHA) / 10


def test_interval_by_group_is_wider() -> None:
    """Twelve photos of an object that err together are worth about one: the interval is that of so many images."""
    champion, candidate = models(60, 24, 1200)
    singles = interval(paired(champion, candidate), 0.025)
    assert singles == difference_interval(60, 24, 1200, 0.025)
    groups = np.arange(1200) // 12
    low, high = interval(paired(champion, candidate, groups), 0.025)
    assert (low, high) == pytest.approx(difference_interval(5, 2, 100, 0.025), abs=0.004)
    assert not no_worse(paired(champion, candidate, groups), 0.01, 0.025).passed
    assert no_worse(paired(champion, candidate), 0.01, 0.025).passed


def test_hypotheses_that_cannot_fall_take_no_share() -> None:
    """Of five, three could not reach .01 whatever happened: the other two share it."""
    assert attainable([0.5**8, 0.25, 1.0, 0.5**30, 0.125], 0.01) == [True, False, False, True, False]
    assert attainable([0.5**7, 0.5**7], 0.01) == [False, False]
    assert attainable([], 0.01) == []


def test_holm_steps_down() -> None:
    """The smallest p meets a quarter of the family, the next a third, and the first to fail ends it."""
    assert holm([0.04, 0.001, 0.03, 0.014]) == [False, True, False, True]
    assert holm([0.03, 0.02]) == [True, True]
    assert holm([0.026, 0.9]) == [False, False]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_finds_at_least_what_bonferroni_finds(pvalues: list[float]) -> None:
    """It rejects all that Bonferroni rejects, none above the family, and the smaller p before the larger."""
    fallen = holm(pvalues)
    assert all(yes or p > 0.05 / len(pvalues) for p, yes in zip(pvalues, fallen, strict=True))
    assert all(p <= 0.05 for p, yes in zip(pvalues, fallen, strict=True) if yes)
    assert sum(fallen) == 0 or max(np.array(pvalues)[fallen]) <= min([2.0, *np.array(pvalues)[np.invert(fallen)]])
