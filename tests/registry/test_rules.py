"""The rule of the comparison."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.evaluate.paired import Paired, paired
from sightline.params import Gate
from sightline.registry import rules
from sightline.registry.blessing import FAILED, INSUFFICIENT, NOT_APPLICABLE, PASSED, Blessing, Bound

LIMITS = Gate(min_accuracy=0.6, min_gain_over_majority=0.1)
LEVEL = 0.0025
BOUND = Bound(data="d", code="c", weights="w", release="r")


def right(*runs: tuple[bool, int]) -> np.ndarray:
    return np.concatenate([np.full(count, value) for value, count in runs])


def pair(gained: int, lost: int, n: int) -> Paired:
    """Candidate and champion that differ on so many of `n` images, both right on the rest."""
    rest = n - gained - lost
    return paired(right((False, gained), (True, lost + rest)), right((True, gained), (False, lost), (True, rest)))


def later(one: Paired, name: str, rule: rules.Rule = rules.BETTER, level: float = LEVEL) -> Blessing:
    return rules.later(one, name, rule, LIMITS, level, BOUND)


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
    """Ten images gained and none lost are shown to be better at .0025 (p = 1/1024)."""
    done = later(pair(10, 0, 100), "1")
    assert done.verdict == PASSED
    assert done.figures["p"] == 1 / 1024
    assert done.sentence == "better than version 1: 10 gained, 0 lost of 100 images (p = 0.00098, 0.0025 asked)"


def test_eight_gained_are_not_enough() -> None:
    """What one comparison alone would show (p = 1/256) is not shown where many share the error."""
    assert later(pair(8, 0, 100), "1").verdict == INSUFFICIENT
    assert later(pair(8, 0, 100), "1", level=0.05).verdict == PASSED


def test_photos_of_one_object_count_once() -> None:
    """Two objects gained with five photos each are no ten pieces of evidence."""
    groups = np.arange(100) // 5
    champion, candidate = right((False, 10), (True, 90)), right((True, 100))
    assert rules.later(paired(champion, candidate), "1", rules.BETTER, LIMITS, LEVEL, BOUND).verdict == PASSED
    done = rules.later(paired(champion, candidate, groups), "1", rules.BETTER, LIMITS, LEVEL, BOUND)
    assert done.verdict == INSUFFICIENT
    assert (done.figures["p"], done.figures["groups"]) == (0.25, 20)


def test_worse_candidate_fails_even_on_few_images() -> None:
    """Where harm is shown nobody is asked to bring more images."""
    done = later(pair(0, 8, 100), "4")
    assert done.verdict == FAILED
    assert "worse than version 4" in done.sentence


def test_harm_is_looked_for_without_a_comparison() -> None:
    """A candidate that is worse is refused by itself; one that is not shown to be has to be compared."""
    worse = rules.harmed(pair(0, 8, 100), "4", BOUND)
    assert worse is not None
    assert worse.verdict == FAILED
    assert "worse than champion version 4: 0 gained, 8 lost of 100 images" in worse.sentence
    assert rules.harmed(pair(3, 5, 100), "4", BOUND) is None


def test_candidate_that_is_not_compared_says_why_and_counts_for_nothing() -> None:
    """It keeps both accuracies, and is neither passed nor failed by that."""
    done = rules.not_asked("not compared with champion version 4: slices block", pair(8, 0, 100), BOUND)
    assert done.verdict == NOT_APPLICABLE
    assert done.sentence.endswith("slices block; no comparison is spent")
    assert (done.figures["accuracy"], done.figures["champion_accuracy"]) == (1.0, 0.92)


def test_too_few_images_are_told_with_the_number_that_would_do() -> None:
    """At 360 images and 3 % disagreement nothing can be shown; the sentence says what n would do."""
    done = later(pair(6, 5, 360), "1")
    assert done.verdict == INSUFFICIENT
    assert done.figures["power"] < 0.5
    assert f"{done.figures['needed']:,} would show one point" in done.sentence
    assert 360 < done.figures["needed"] < 10_000


def test_many_images_refuse_an_equal_candidate() -> None:
    """Where a gain of one point would have been seen, not seeing it is an answer."""
    assert later(pair(100, 100, 5000), "1").verdict == FAILED


def test_no_worse_asks_for_the_margin() -> None:
    """At 10,000 images an equal candidate is shown to be no worse, and one at the margin is not."""
    assert later(pair(100, 100, 10_000), "1", rules.NO_WORSE).verdict == PASSED
    assert later(pair(50, 150, 10_000), "1", rules.NO_WORSE).verdict == FAILED


def test_no_worse_cannot_ratchet_downwards() -> None:
    """A candidate no worse than the present champion is refused where the best champion on this release was better."""
    judged = later(pair(20, 60, 10_000), "2", rules.NO_WORSE)
    assert judged.verdict == PASSED
    both = rules.with_best(judged, pair(0, 120, 10_000), "1", LIMITS, LEVEL)
    assert both.verdict == FAILED
    assert "worse than the best so far, version 1" in both.sentence


def test_gate_can_be_made_stricter_not_laxer() -> None:
    """A level of 1 or a margin of 1 would let everything through, and is refused."""
    with pytest.raises(ValueError, match="alpha"):
        Gate(alpha=1.0)
    with pytest.raises(ValueError, match="margin"):
        Gate(margin=1.0)
    with pytest.raises(ValueError, match="new_traffic"):
        Gate(new_traffic=1.5)
