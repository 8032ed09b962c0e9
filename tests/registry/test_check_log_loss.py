"""Harm in log loss beyond the margin."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sightline.registry.blessing import FAILED, PASSED
from sightline.registry.check_log_loss import check_log_loss
from sightline.registry.rules import Scored


def answers(n: int) -> Scored:
    """Answers that are as right as they say."""
    rng = np.random.default_rng(0)
    odds = np.exp(rng.normal(0, 2, (n, 5)))
    shares = odds / odds.sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(5, p=row) for row in shares])
    return Scored(version="1", labels=truth, probabilities=shares)


def spread(scored: Scored, share: float, groups: np.ndarray | None = None) -> Scored:
    """The same answers with a share of their probability spread over all classes."""
    vague = scored.probabilities * (1 - share) + share / 5
    told = Scored(version="2", labels=scored.labels, probabilities=vague)
    return told if groups is None else replace(told, groups=groups)


def test_vaguer_answers_are_blocked() -> None:
    """Where the candidate's answers are much vaguer on the same images, that is shown."""
    honest = answers(2000)
    done = check_log_loss(spread(honest, 0.4), honest)
    assert done.verdict == FAILED
    assert "more than 0.01 is shown" in done.sentence


def test_ten_thousandth_of_a_nat_is_no_harm() -> None:
    """A difference that is shown beyond doubt and far below the margin blocks nothing."""
    honest = answers(2000)
    truth = np.take_along_axis(honest.probabilities, honest.labels[:, None], axis=1)
    shrunk = honest.probabilities * np.exp(-0.00009)
    np.put_along_axis(shrunk, honest.labels[:, None], truth * np.exp(-0.00009), axis=1)
    done = check_log_loss(Scored(version="2", labels=honest.labels, probabilities=shrunk), honest)
    assert 0 < done.figures["log_loss_difference"] < 0.0001
    assert done.verdict == PASSED


def test_one_object_is_no_evidence() -> None:
    """The same harm is not shown where all of it lies in images of five objects."""
    honest = answers(400)
    alone = check_log_loss(spread(honest, 0.4), honest)
    assert alone.verdict == FAILED
    assert check_log_loss(spread(honest, 0.4, np.arange(400) // 80), honest).verdict == PASSED


def test_equal_answers_pass() -> None:
    """Nothing is worse than itself."""
    honest = answers(50)
    assert check_log_loss(honest, honest).verdict == PASSED
