"""Paired comparison by group."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sightline.evaluate.paired import group_sums, paired, sign_flip

COUNTS = st.integers(0, 60)


def by_all_signs(sums: np.ndarray) -> float:
    """The p by trying every sign of every sum."""
    present = np.abs(sums[sums != 0])
    reached = [np.dot(signs, present) >= sums.sum() - 1e-9 for signs in product((-1, 1), repeat=len(present))]
    return float(np.mean(reached))


@given(COUNTS, COUNTS, st.integers(1, 60))
def test_single_images_are_tested_by_mcnemar(gained: int, lost: int, same: int) -> None:
    """Without groups the p is the one-sided binomial test on the discordant pairs; concordant ones do not matter."""
    champion = np.repeat([False, True, True], [gained, lost, same])
    candidate = np.repeat([True, False, True], [gained, lost, same])
    pair = paired(champion, candidate)
    tosses = gained + lost
    assert pair.better == pytest.approx(stats.binomtest(gained, tosses, alternative="greater").pvalue if tosses else 1)
    assert pair.harm == pytest.approx(stats.binomtest(lost, tosses, alternative="greater").pvalue if tosses else 1)
    assert (pair.gained, pair.lost, pair.images, pair.inflation) == (gained, lost, gained + lost + same, 1)
    assert pair.accuracy == pytest.approx(candidate.mean())
    assert pair.other == pytest.approx(champion.mean())


@given(st.lists(st.integers(-12, 12), max_size=10))
@settings(deadline=None)
def test_groups_are_tested_exactly(sums: list[int]) -> None:
    """Whole numbers and others give the p that all signs give."""
    found = np.array(sums, dtype=np.int64)
    assert sign_flip(found) == pytest.approx(by_all_signs(found))
    assert sign_flip(found / 7) == pytest.approx(by_all_signs(found))


def test_many_groups_are_drawn_near_the_exact_p() -> None:
    """Beyond 16 sums that are no whole numbers 100,000 draws come near the exact p, the same ones each time."""
    sums = np.random.default_rng(1).integers(-9, 12, 60)
    drawn = sign_flip(sums / 7)
    assert drawn == pytest.approx(sign_flip(sums), abs=5 * np.sqrt(0.25 / 100_000))
    assert drawn == sign_flip(sums / 7)


def test_draws_never_claim_more_than_they_can() -> None:
    """What no draw reached is at most as sure as one draw among all."""
    assert sign_flip(np.full(5000, 0.1)) == 1 / 100_001


def test_photos_of_one_object_are_one_piece_of_evidence() -> None:
    """Three objects gained with twelve photos each show nothing, where 36 images would show much."""
    champion, candidate = np.ones(360, dtype=bool), np.ones(360, dtype=bool)
    champion[:36] = False
    assert paired(champion, candidate).better < 1e-10
    assert paired(champion, candidate, np.arange(360) // 12).better == 1 / 8


def test_equal_models_err_as_often_as_they_may_with_groups() -> None:
    """Where photos of an object err together, one of 20 equal candidates passes by group, many more by image."""
    rng = np.random.default_rng(0)
    by_group, by_image = 0, 0
    for _ in range(400):
        disputed, sign = rng.random(100) < 0.2, rng.choice([-1, 1], 100)
        change = np.where(rng.random((100, 12)) < 0.5, (disputed * sign)[:, None], 0).ravel()
        champion, candidate = change <= 0, change >= 0
        by_group += paired(champion, candidate, np.arange(1200) // 12).better <= 0.05
        by_image += paired(champion, candidate).better <= 0.05
    assert by_group / 400 <= 0.08
    assert by_image / 400 >= 0.2


def test_design_effect_is_one_for_independent_images_and_the_size_for_copies() -> None:
    """Groups whose images err alike count for one image each, those whose images do not for nearly all."""
    rng = np.random.default_rng(0)
    groups = np.arange(12_000) // 12
    alike = np.repeat(rng.random(1000) < 0.1, 12)
    apart = rng.random(12_000) < 0.1
    right = np.ones(12_000, dtype=bool)
    assert paired(right, ~alike, groups).inflation == pytest.approx(12)
    # One-sided losses add up within groups by themselves; half gained, half lost do not.
    both = paired(rng.random(12_000) < 0.9, ~apart, groups)
    assert both.inflation == pytest.approx(1, abs=0.2)
    assert both.independent == pytest.approx(12_000 / both.inflation, abs=1)


def test_sums_follow_the_groups() -> None:
    """Each value goes to its group, whatever the order."""
    assert group_sums(np.array([1, 2, 3, 4]), np.array([7, 3, 7, 5])).tolist() == [2, 4, 4]
