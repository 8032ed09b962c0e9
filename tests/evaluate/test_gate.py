"""The gate's two rules."""

from __future__ import annotations

import numpy as np

from sightline.config import Gate
from sightline.evaluate import gate

LIMITS = Gate(min_accuracy=0.6, min_gain_over_majority=0.1, alpha=0.05)


def figures(accuracy: float, supports: tuple[int, ...]) -> dict[str, object]:
    return {
        "accuracy": accuracy,
        "release": {"images": sum(supports)},
        "per_class": {str(number): {"support": support} for number, support in enumerate(supports)},
    }


def right(*runs: tuple[bool, int]) -> np.ndarray:
    return np.concatenate([np.full(count, value) for value, count in runs])


def test_first_champion_needs_the_floor() -> None:
    """Below the least accuracy nothing becomes champion, and the sentence says the floor."""
    decision = gate.first(figures(0.55, (50, 50)), LIMITS)
    assert not decision.promote
    assert "below the floor of 60.0%" in decision.sentence
    assert gate.first(figures(0.65, (50, 50)), LIMITS).promote


def test_first_champion_beats_the_majority() -> None:
    """Where one class holds most images, accuracy near its share is no achievement."""
    assert not gate.first(figures(0.92, (90, 10)), LIMITS).promote


def test_better_candidate_is_promoted() -> None:
    """Ten images gained and none lost are shown to be better (p = 1/1024)."""
    decision = gate.later(right((True, 100)), right((False, 10), (True, 90)), "1", LIMITS)
    assert decision.promote
    assert decision.figures["p"] == 1 / 1024


def test_equal_candidate_stays_challenger() -> None:
    """As many gained as lost show nothing, and the sentence gives the counts."""
    candidate, champion = right((True, 5), (False, 5), (True, 90)), right((False, 5), (True, 95))
    decision = gate.later(candidate, champion, "4", LIMITS)
    assert not decision.promote
    assert "5 right that champion version 4 gets wrong, and 5 wrong" in decision.sentence
