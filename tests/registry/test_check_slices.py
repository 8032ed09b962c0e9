"""Harm on slices of any size."""

from __future__ import annotations

import numpy as np

from sightline.registry.blessing import FAILED, MISSING, NOT_APPLICABLE, PASSED, Blessing, Bound
from sightline.registry.check_slices import check_slices

BOUND = Bound(data="d", code="c", weights="w", release="r")


def classes(*sizes: int) -> dict[str, np.ndarray]:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return {f"label={name}": labels == name for name in range(len(sizes))}


def asked(
    candidate: np.ndarray, champion: np.ndarray | None, parts: dict[str, np.ndarray], groups: np.ndarray | None = None
) -> Blessing:
    n = len(candidate)
    alone = np.arange(n) if groups is None else groups
    return check_slices(candidate, champion, parts, list(parts), np.ones(n, dtype=bool), alone, BOUND)


def test_collapsed_class_blocks_while_the_average_rises() -> None:
    """One class of ten is lost, the others gain more than that: blocked, with the class named."""
    parts = classes(*[250] * 10)
    rng = np.random.default_rng(0)
    champion = rng.random(2500) < 0.85
    candidate = champion | (rng.random(2500) < 0.9)
    candidate[parts["label=3"]] = champion[parts["label=3"]] & (rng.random(250) < 0.7)
    assert candidate.mean() > champion.mean() + 0.05
    done = asked(candidate, champion, parts)
    assert done.verdict == FAILED
    assert done.sentence.startswith("label=3 is worse")
    assert "label=4" not in done.sentence


def test_class_of_a_hundred_that_is_lost_blocks() -> None:
    """Six classes of 100 test images, one falls from 100 % to 0 %, the others gain."""
    parts = classes(*[100] * 6)
    champion = np.ones(600, dtype=bool)
    champion[::10] = False
    champion[500:] = True
    candidate = np.ones(600, dtype=bool)
    candidate[500:] = False
    assert asked(candidate, champion, parts).verdict == FAILED


def test_small_class_blocks() -> None:
    """A class of 20 images of which 12 are lost is shown to be worse beside five large ones that gain."""
    parts = classes(20, *[100] * 5)
    champion = np.ones(520, dtype=bool)
    champion[20::8] = False
    candidate = np.ones(520, dtype=bool)
    candidate[:12] = False
    done = asked(candidate, champion, parts)
    assert done.verdict == FAILED
    assert "label=0 is worse: 40.0% of 20 images right, the champion 100.0%" in done.sentence


def test_what_cannot_be_told_is_named() -> None:
    """With five images even a total loss shows nothing, nor with 60 photos of five objects: said, and not blocked."""
    parts = classes(5, 60, 300)
    champion = np.ones(365, dtype=bool)
    candidate = champion.copy()
    candidate[:65] = False
    groups = np.concatenate([np.arange(5), 5 + np.arange(60) // 12, 100 + np.arange(300)])
    done = asked(candidate, champion, parts, groups)
    assert done.verdict == PASSED
    assert "too few images to tell: label=0, label=1" in done.sentence
    assert "label=2" not in done.sentence


def test_equal_candidates_are_seldom_blocked() -> None:
    """Of 400 candidates that differ by chance alone at most a few are blocked on any of twelve slices."""
    rng = np.random.default_rng(0)
    parts = classes(*[20] * 6, *[100] * 6)
    blocked = sum(asked(rng.random(720) < 0.9, rng.random(720) < 0.9, parts).verdict == FAILED for _ in range(400))
    assert blocked <= 8


def test_missing_slice_blocks() -> None:
    """A class that the model can answer and no test image shows is named, whatever other images show it."""
    right = np.ones(400, dtype=bool)
    parts = {"label=cat": np.arange(400) < 300, "label=dog": np.arange(400) >= 300}
    tested = np.arange(400) < 200
    done = check_slices(right, right, parts, ["label=cat", "label=dog", "label=owl"], tested, np.arange(400), BOUND)
    assert done.verdict == MISSING
    assert "no test image for label=dog, label=owl" in done.sentence


def test_without_a_champion_nothing_is_compared() -> None:
    """The slices are told, and count for nothing."""
    parts = classes(10, 10)
    done = asked(np.ones(20, dtype=bool), None, parts)
    assert done.verdict == NOT_APPLICABLE
    assert [row["accuracy"] for row in done.figures["slices"]] == [1.0, 1.0]
