"""The bet: valid while nothing shifts, quick when something does, the same whatever the parts."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sightline.evaluate.reference import Reference
from sightline.monitor.bet import BLOCK, Bet
from sightline.monitor.scores import Scores

if TYPE_CHECKING:
    from numpy.typing import NDArray


def images(count: int, rng: np.random.Generator, *, alike: bool = False) -> Reference:
    """Random images; `alike`: many of their numbers are the same."""
    numbers = {name: rng.normal(size=(count, size)) for name, size in (("features", 8), ("statistics", 7))}
    if alike:
        numbers = {name: np.round(values) for name, values in numbers.items()}
    probabilities = rng.dirichlet([0.3, 0.2, 0.1], size=count).astype(np.float32)
    return Reference(
        bundle="bundle",
        release="release",
        classes=("a", "b", "c"),
        labels=probabilities.argmax(axis=1),
        groups=np.arange(count),
        probabilities=probabilities,
        features=numbers["features"].astype(np.float32),
        statistics=numbers["statistics"].astype(np.float32),
        energy=rng.normal(size=count).astype(np.float32),
        foreign=np.maximum(rng.normal(size=count), 0).astype(np.float32),
        directions=np.eye(8, 4, dtype=np.float32),
    )


def placed(scores: Scores, traffic: Reference, rng: np.random.Generator) -> NDArray[np.int64]:
    return scores.bins(scores.of_images(traffic), rng.random(len(traffic.labels)))


@pytest.mark.parametrize("alike", [False, True])
def test_wealth_rarely_grows_while_nothing_shifts(*, alike: bool) -> None:
    """Of 300 streams that are like their reference few ever win 20 times the stake, also where numbers are alike."""
    rng, bins = np.random.default_rng(0), []
    for _ in range(300):
        scores = Scores.of(images(60, rng, alike=alike))
        bins.append(placed(scores, images(600, rng, alike=alike), rng))
    wealth = Bet.new(scores.gaps, len(bins)).enter(np.stack(bins, axis=1))
    # One in twenty at most; 24 of 300 come by chance in 1 %.
    assert (wealth.max(axis=0) >= 20).sum() <= 23


def test_expected_factor_is_one() -> None:
    """With what came before, the mean of the next wealth over where the next score may fall is the wealth now."""
    rng = np.random.default_rng(1)
    scores = Scores.of(images(30, rng))
    gaps = scores.gaps[:1]
    before = rng.integers(0, gaps.shape[1], (40, 1, 1))
    counted = gaps[0] + np.bincount(before[:, 0, 0], minlength=gaps.shape[1])
    mean, now = 0.0, 0.0
    for place, count in enumerate(counted):
        bet = Bet.new(gaps)
        now = float(bet.enter(before)[-1, 0])
        mean += count / counted.sum() * float(bet.enter(np.full((1, 1, 1), place))[0, 0])
    assert mean == pytest.approx(now, rel=1e-12)


def test_a_shift_is_found_soon() -> None:
    """After 2,000 images that are like the reference, 60 of another brightness win a hundred times the stake."""
    rng = np.random.default_rng(2)
    scores = Scores.of(images(300, rng))
    traffic = images(2_060, rng)
    traffic.statistics[2_000:, 0] += 2
    wealth = Bet.new(scores.gaps).enter(placed(scores, traffic, rng)[:, None])[:, 0]
    assert wealth[:2_000].max() < 100 <= wealth[2_000:].max()


def test_parts_do_not_matter() -> None:
    """In parts of any sizes the wealth, the stakes and the counts are those of one part, bit by bit."""
    rng = np.random.default_rng(3)
    scores = Scores.of(images(50, rng))
    bins = placed(scores, images(3 * BLOCK + 17, rng), rng)[:, None]
    whole, parted, found, start = Bet.new(scores.gaps), Bet.new(scores.gaps), [], 0
    wealth = whole.enter(bins)
    while start < len(bins):
        size = int(rng.integers(1, 2 * BLOCK))
        found.append(parted.enter(bins[start : start + size]))
        start += size
    assert np.array_equal(np.concatenate(found), wealth)
    assert np.array_equal(parted.counts, whole.counts)
    assert np.array_equal(parted.stakes, whole.stakes)


def test_rearmed_it_bets_against_the_reference_alone() -> None:
    """After an alarm was acknowledged the bet is what a new one would be, whatever the incident was."""
    rng = np.random.default_rng(4)
    scores = Scores.of(images(50, rng))
    bet = Bet.new(scores.gaps)
    bet.enter(placed(scores, images(100, rng), rng)[:, None])
    bet.rearm()
    assert bet.wealth[0] == 1
    later = placed(scores, images(400, rng), rng)[:, None]
    assert np.array_equal(bet.enter(later), Bet.new(scores.gaps).enter(later))
    assert bet.entered == 500


def test_incident_that_is_over_raises_no_further_alarm() -> None:
    """Traffic that is like the reference again is calm after a thousand shifted images; a shift that lasts is not."""
    again = lasting = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        scores = Scores.of(images(200, rng))

        def traffic(
            count: int, moved: float, of: Scores = scores, draws: np.random.Generator = rng
        ) -> NDArray[np.int64]:
            found = images(count, draws)
            found.features[:] += moved
            return placed(of, found, draws)[:, None]

        bet = Bet.new(scores.gaps)
        bet.enter(traffic(1000, 2))
        bet.rearm()
        lasting += int(deepcopy(bet).enter(traffic(300, 2)).max() >= 200)
        again += int(bet.enter(traffic(1500, 0)).max() >= 200)
    assert (again, lasting) == (0, 10)
