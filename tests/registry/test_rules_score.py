"""The rule of the comparison where a score of all images decides beside the figures of each."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.evaluate.paired import Paired, paired
from sightline.heads.gained import Gained
from sightline.params import Gate
from sightline.registry import rules
from sightline.registry.blessing import FAILED, INSUFFICIENT, PASSED, Blessing, Bound

LIMITS, LEVEL, BOUND = Gate(), 0.002, Bound(data="d", code="c", weights="w", release="r")


def score(points: float, error: float = 1.0) -> Gained:
    """So many points gained, with an error of so many."""
    return Gained(what="AP", own=0.4 + points / 100, other=0.4, error=error / 100, groups=200)


def figures(gained: float) -> Paired:
    """Two models of which one has so much more on each of 40 of 200 images, and as much less on 20 as on 20 more."""
    rng = np.random.default_rng(0)
    other = rng.uniform(0.3, 0.6, 200)
    own = other.copy()
    own[:40] += gained
    own[40:60] += 0.05
    own[60:80] -= 0.05
    return paired(other, own)


def asked(pair: Paired, found: Gained, rule: rules.Rule = rules.BETTER) -> Blessing:
    return rules.later(pair, "1", rule, LIMITS, LEVEL, BOUND, found)


def test_score_alone_is_enough() -> None:
    """A model that lies more exactly has the same figures, and passes."""
    done = asked(figures(0.0), score(4))
    assert done.verdict == PASSED
    assert "AP +4.0 points" in done.sentence
    assert done.figures["score"]["own"] == pytest.approx(0.44)
    assert asked(figures(0.0), score(2.5)).verdict != PASSED


def test_figures_alone_are_enough_where_the_score_is_no_lower() -> None:
    """It is not enough that it is not shown to be lower: it must be shown to be above a point less."""
    assert asked(figures(0.2), score(0.0, 0.3)).verdict == PASSED
    assert asked(figures(0.2), score(0.0, 1.0)).verdict != PASSED
    assert asked(figures(0.2), score(-0.9, 0.3)).verdict == FAILED


def test_either_may_show_harm() -> None:
    """The figures of images, or the score; what is told names it."""
    by_score = rules.harmed(figures(0.2), "1", BOUND, score(-4))
    assert by_score is not None
    assert by_score.verdict == FAILED
    assert by_score.sentence.startswith("worse than champion version 1: AP -4.0 points")
    by_figures = rules.harmed(figures(-0.2), "1", BOUND, score(4))
    assert by_figures is not None
    assert "of 200 images" in by_figures.sentence
    assert rules.harmed(figures(0.0), "1", BOUND, score(0)) is None


def test_no_worse_must_be_shown_of_both() -> None:
    """Of the score too; the sentence tells the worse end of both."""
    alike = figures(0.2)
    assert asked(alike, score(0.0, 0.1), rules.NO_WORSE).verdict == PASSED
    done = asked(alike, score(0.0, 1.0), rules.NO_WORSE)
    assert done.verdict in {FAILED, INSUFFICIENT}
    assert "(at worst -2.9" in done.sentence


def test_the_best_so_far_is_held_against_both() -> None:
    """A candidate may lose no score against the best champion, and the sentence is short enough."""
    judged = asked(figures(0.2), score(0.0, 0.1), rules.NO_WORSE)
    done = rules.with_best(judged, figures(0.2), "1", LIMITS, LEVEL, score(-0.5, 1.0))
    assert judged.verdict == PASSED
    assert done.verdict in {FAILED, INSUFFICIENT}
    assert done.figures["best"]["score"]["error"] == 0.01
