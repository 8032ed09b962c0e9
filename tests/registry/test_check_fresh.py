"""Newly labelled images beside the old ones."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.params import Gate
from sightline.registry import rules
from sightline.registry.blessing import FAILED, INSUFFICIENT, NOT_APPLICABLE, PASSED, Blessing, Bound
from sightline.registry.check_fresh import check_fresh

LIMITS = Gate()
BOUND = Bound(data="d", code="c", weights="w", release="r")


def part(gained: int, lost: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Champion and candidate on one part, both right on the rest."""
    champion, candidate = np.ones(n, dtype=bool), np.ones(n, dtype=bool)
    champion[:gained] = False
    candidate[gained : gained + lost] = False
    return champion, candidate


def asked(
    old: tuple[int, int, int],
    new: tuple[int, int, int],
    limits: Gate = LIMITS,
    rule: rules.Rule = rules.BETTER,
    photos: int = 1,
) -> Blessing:
    (champion_old, candidate_old), (champion_new, candidate_new) = part(*old), part(*new)
    is_new = np.repeat([False, True], [old[2], new[2]])
    return check_fresh(
        np.concatenate([candidate_old, candidate_new]),
        np.concatenate([champion_old, champion_new]),
        is_new,
        np.arange(len(is_new)) // photos,
        rule,
        limits,
        BOUND,
    )


@pytest.mark.parametrize("old", [361, 1000])
def test_camera_repaired_while_the_old_part_answers_alike_passes(old: int) -> None:
    """The same answers on so few old images are no harm; how large a loss they could hide is said."""
    done = asked((0, 0, old), (64, 16, 400))
    assert done.verdict == PASSED, done.sentence
    assert f"on {old:,} old +0.0 points, a loss of {'0.7' if old == 361 else '0.3'} could hide" in done.sentence


def test_loss_on_the_old_part_blocks() -> None:
    """Three points lost on 1,000 old images are shown, whatever is gained on the new ones."""
    done = asked((15, 45, 1000), (64, 16, 400))
    assert done.verdict == FAILED
    assert "worse on the old part: -3.0 points" in done.sentence


def test_loss_on_the_new_part_blocks() -> None:
    """Harm on the new images is no better."""
    assert "worse on the new part" in asked((10, 10, 1000), (5, 30, 400)).sentence


def test_no_gain_on_many_new_images_is_not_enough() -> None:
    """Where a gain would have been seen it fails, where it might not it waits; a handful is not judged by itself."""
    assert asked((0, 0, 1000), (60, 60, 6000)).verdict == FAILED
    assert asked((0, 0, 1000), (20, 20, 400)).verdict == INSUFFICIENT
    few = asked((0, 0, 1000), (1, 1, 20))
    assert few.verdict == NOT_APPLICABLE
    assert "too few to judge by themselves" in few.sentence


def test_photos_of_one_object_are_no_gain() -> None:
    """Four objects with twelve photos each that are gained are four pieces of evidence."""
    assert asked((0, 0, 1000), (48, 0, 400)).verdict == PASSED
    assert asked((0, 0, 996), (48, 0, 400), photos=12).verdict != PASSED


def test_known_share_of_traffic_weighs_the_parts() -> None:
    """What is gained on new and hidden on old passes where most traffic is new, and not where little is."""
    old, new = (20, 30, 1000), (40, 20, 400)
    assert asked(old, new, Gate(new_traffic=0.9)).verdict == PASSED
    little = asked(old, new, Gate(new_traffic=0.1))
    assert little.verdict == INSUFFICIENT
    assert "with 10% new traffic" in little.sentence


def test_no_worse_asks_for_no_harm_alone() -> None:
    """A fix or a smaller model needs no gain on the new images."""
    assert asked((5, 5, 1000), (5, 5, 400), rule=rules.NO_WORSE).verdict == PASSED
    assert asked((5, 25, 1000), (5, 5, 400), rule=rules.NO_WORSE).verdict == FAILED


def test_without_new_part_or_champion_there_is_nothing_to_compare() -> None:
    """A first release has no newly labelled part, a first champion no rival: neither counts as passed."""
    right, none = np.ones(100, dtype=bool), np.zeros(100, dtype=bool)
    number = np.arange(100)
    first = check_fresh(right, right, none, number, rules.BETTER, LIMITS, BOUND)
    alone = check_fresh(right, None, number < 50, number, rules.BETTER, LIMITS, BOUND)
    assert (first.verdict, alone.verdict) == (NOT_APPLICABLE, NOT_APPLICABLE)
    assert "no champion" in alone.sentence
