"""The plain test of a window: how often it errs, and what it sees."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ks_2samp

from sightline.monitor.shift import EMBEDDING, SOFTMAX, STATISTICS, Tested, compare

GROUPS = np.array([SOFTMAX] * 3 + [EMBEDDING] * 8 + [STATISTICS] * 6)


def looked(window: np.ndarray, rng: np.random.Generator) -> Tested:
    return compare(rng.normal(size=(500, window.shape[1])), window, GROUPS)


@pytest.mark.parametrize("images", [10, 150])
def test_p_is_what_it_says(images: int) -> None:
    """Of 150 windows that have not shifted about as many fall below each p as it says, and so do their scores."""
    rng = np.random.default_rng(0)
    found = [looked(rng.normal(size=(images, len(GROUPS))), rng) for _ in range(150)]
    columns = np.concatenate([one.columns for one in found])
    for p in (0.1, 0.05, 0.01):
        # Three standard errors of 2,550 scores; of windows 17 in 150 lie below 0.05 by chance in 1 of 1,000.
        assert abs((columns < p).mean() - p) < 3 * np.sqrt(p / len(columns)) + 0.15 * p
    assert sum(one.p < 0.05 for one in found) < 17


def test_scores_that_say_the_same_alarm_no_more_often() -> None:
    """One number under seventeen names errs as often as one."""
    rng = np.random.default_rng(1)
    said = 0
    for _ in range(150):
        line, window = (np.repeat(rng.normal(size=(count, 1)), len(GROUPS), axis=1) for count in (500, 100))
        said += compare(line, window, GROUPS).p < 0.05
    assert said < 17


def test_a_few_images_far_out_are_seen() -> None:
    """One in ten lies far out in one score: the distribution functions differ too little to tell."""
    rng, seen, told = np.random.default_rng(2), 0, 0
    for _ in range(40):
        line, window = rng.normal(size=(500, len(GROUPS))), rng.normal(size=(100, len(GROUPS)))
        window[:10, 12] += 5
        found = compare(line, window, GROUPS)
        seen += found.p < 0.05 and found.groups[STATISTICS] == min(found.groups.values())
        told += ks_2samp(line[:, 12], window[:, 12]).pvalue * len(GROUPS) < 0.05
    assert seen >= 38
    assert told <= 5


def test_the_further_the_smaller_p() -> None:
    """Also where no drawn window is as rare."""
    rng = np.random.default_rng(3)
    line, window = rng.normal(size=(500, len(GROUPS))), rng.normal(size=(200, len(GROUPS)))
    found = [compare(line, window + by, GROUPS).p for by in (0.1, 0.3, 0.5, 1.0)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 1e-12


@pytest.mark.parametrize("images", [1, 2, 500])
def test_numbers_that_are_all_alike_tell_nothing(images: int) -> None:
    """A score that is the same for every image, in windows of any size."""
    found = compare(np.zeros((500, len(GROUPS))), np.zeros((images, len(GROUPS))), GROUPS)
    assert found.p > 0.5
    assert found.distances.max() < 1e-12
