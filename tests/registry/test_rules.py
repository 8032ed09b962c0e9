"""The rules of the comparison."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.params import Gate
from sightline.registry import rules
from sightline.registry.blessing import FAILED, INSUFFICIENT, PASSED, Bound

LIMITS = Gate(min_accuracy=0.6, min_gain_over_majority=0.1)
BOUND = Bound(data="d", code="c", weights="w", release="r")


def right(*runs: tuple[bool, int]) -> np.ndarray:
    return np.concatenate([np.full(count, value) for value, count in runs])


def pair(gained: int, lost: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Candidate and champion that differ on so many of `n` images, both right on the rest."""
    rest = n - gained - lost
    return right((True, gained), (False, lost), (True, rest)), right((False, gained), (True, lost + rest))


def test_first_champion_needs_the_floor() -> None:
    """Below the least accuracy nothing becomes champion, and the sentence says the floor."""
    labels = np.repeat([0, 1], 50)
    low = rules.first(right((True, 55), (False, 45)), labels, LIMITS, BOUND)
    assert low.verdict == FAILED
    assert "below the floor of 60.0%" in low.sentence
    assert rules.first(right((True, 65), (False, 35)), labels, LIMITS, BOUND).verdict == PASSED


def test_first_champion_beats_the_majority() -> None:
    """Where one class holds most images, accuracy near its share is no achievement."""
    labels = np.repeat([0, 1], [90, 10])
    assert rules.first(right((True, 92), (False, 8)), labels, LIMITS, BOUND).verdict == FAILED


def test_better_candidate_passes() -> None:
    """Ten images gained and none lost are shown to be better at 0.05 / 20 (p = 1/1024)."""
    done = rules.later(*pair(10, 0, 100), "1", rules.BETTER, LIMITS, BOUND)
    assert done.verdict == PASSED
    assert done.figures["p"] == 1 / 1024


def test_eight_gained_are_not_enough() -> None:
    """What one comparison alone would show (p = 1/256) is not shown where twenty share the error."""
    assert rules.later(*pair(8, 0, 100), "1", rules.BETTER, LIMITS, BOUND).verdict == INSUFFICIENT


def test_worse_candidate_fails_even_on_few_images() -> None:
    """Where harm is shown nobody is asked to bring more images."""
    done = rules.later(*pair(0, 8, 100), "4", rules.BETTER, LIMITS, BOUND)
    assert done.verdict == FAILED
    assert "worse than champion version 4" in done.sentence


def test_too_few_images_are_told_with_the_number_that_would_do() -> None:
    """At 360 images and 3 % disagreement nothing can be shown; the sentence says what n would do."""
    done = rules.later(*pair(6, 5, 360), "1", rules.BETTER, LIMITS, BOUND)
    assert done.verdict == INSUFFICIENT
    assert done.figures["power"] < 0.5
    assert f"{done.figures['needed']:,} would in half of them" in done.sentence
    assert 360 < done.figures["needed"] < 10_000


def test_many_images_refuse_an_equal_candidate() -> None:
    """Where a gain of one point would have been seen, not seeing it is an answer."""
    assert rules.later(*pair(100, 100, 5000), "1", rules.BETTER, LIMITS, BOUND).verdict == FAILED


def test_no_worse_asks_for_the_margin() -> None:
    """At 10,000 images an equal candidate is shown to be no worse, and one at the margin is not."""
    assert rules.later(*pair(100, 100, 10_000), "1", rules.NO_WORSE, LIMITS, BOUND).verdict == PASSED
    assert rules.later(*pair(50, 150, 10_000), "1", rules.NO_WORSE, LIMITS, BOUND).verdict == FAILED


def test_no_worse_cannot_ratchet_downwards() -> None:
    """A candidate no worse than the present champion is refused where the best champion on this release was better."""
    candidate, champion = pair(20, 60, 10_000)
    judged = rules.later(candidate, champion, "2", rules.NO_WORSE, LIMITS, BOUND)
    assert judged.verdict == PASSED
    best = np.ones(10_000, dtype=bool)
    worse = candidate.copy()
    worse[-60:] = False
    both = rules.with_best(judged, worse, best, "1", LIMITS)
    assert both.verdict == FAILED
    assert "version 1, the best champion on this release" in both.sentence


def test_fresh_data_asks_for_better_on_new_and_not_worse_on_old() -> None:
    """A gain on the new part passes while the old part holds, and fails where the old part is lost."""
    new = np.repeat([False, True], [8000, 1000])
    old_candidate, old_champion = pair(50, 60, 8000)
    new_candidate, new_champion = pair(60, 10, 1000)
    champion = np.concatenate([old_champion, new_champion])
    good = rules.fresh(np.concatenate([old_candidate, new_candidate]), champion, new, rules.BETTER, LIMITS, BOUND)
    assert good.verdict == PASSED
    lost, kept = pair(0, 200, 8000)
    bad = rules.fresh(
        np.concatenate([lost, new_candidate]), np.concatenate([kept, new_champion]), new, rules.BETTER, LIMITS, BOUND
    )
    assert bad.verdict == FAILED
    assert "on the old part worse" in bad.sentence


def test_fresh_data_without_a_new_part_has_nothing_to_say() -> None:
    """A first release has no newly labelled part."""
    candidate, champion = pair(1, 1, 100)
    assert rules.fresh(candidate, champion, np.zeros(100, dtype=bool), rules.BETTER, LIMITS, BOUND).verdict == PASSED
    assert (
        "no champion" in rules.fresh(candidate, None, np.zeros(100, dtype=bool), rules.BETTER, LIMITS, BOUND).sentence
    )


def test_gate_can_be_made_stricter_not_laxer() -> None:
    """A level of 1 or a margin of 1 would let everything through, and is refused."""
    with pytest.raises(ValueError, match="alpha"):
        Gate(alpha=1.0)
    with pytest.raises(ValueError, match="margin"):
        Gate(margin=1.0)
