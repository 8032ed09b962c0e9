from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.evaluate.calibration import (
    Claims,
    coverage_p,
    ece,
    ece_null,
    raps_fit,
    reliability,
    risk_coverage,
)
from sightline.evaluate.metrics import log_loss
from sightline.heads.conformal import Conformal, raps_sets
from sightline.heads.temperature import fit_temperature, softmax

SEEDS = st.integers(0, 2**32 - 1)


def calibrated(images: int, rng: np.random.Generator, spread: float = 2.2) -> tuple[np.ndarray, np.ndarray]:
    """Logits (N, 10), and labels drawn from exactly the probabilities that they mean."""
    logits = rng.normal(size=(images, 10)) * spread
    labels = (softmax(logits).cumsum(axis=1) > rng.random((images, 1))).argmax(axis=1)
    return logits, labels


def answers(confidence: list[float], right: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Two-class probabilities with these confidences of class 0, and labels that make them right or wrong."""
    first = np.array(confidence)
    return np.column_stack([first, 1 - first]), np.where(right, 0, 1)


def test_softmax_divides_by_the_temperature() -> None:
    """A temperature of 2 halves the logits, however large they are."""
    assert softmax(np.array([[2.0, 0.0]]), 2.0)[0, 0] == pytest.approx(1 / (1 + np.exp(-1)))
    assert softmax(np.array([[1e4, 0.0]], dtype=np.float32))[0].tolist() == [1, 0]


@pytest.mark.parametrize("planted", [0.5, 1.0, 3.0])
def test_planted_temperature_is_found(planted: float) -> None:
    """Logits blown up by a factor get that factor as temperature."""
    logits, labels = calibrated(20_000, np.random.default_rng(0))
    assert fit_temperature(planted * logits, labels) == pytest.approx(planted, rel=0.03)


@given(SEEDS, st.floats(0.3, 5))
@settings(max_examples=25, deadline=None)
def test_temperature_beats_every_other(seed: int, other: float) -> None:
    """No other temperature has a smaller loss on the images on which it was fitted and one more wrong answer."""
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(40, 4)) * 3, rng.integers(0, 4, 40)
    second = logits.argsort(axis=1)[:, -2]

    def loss(temperature: float) -> float:
        probabilities = softmax(logits, temperature)
        return 40 * log_loss(labels, probabilities) + log_loss(second, probabilities)

    assert loss(fit_temperature(logits, labels)) <= loss(other) + 1e-9


@pytest.mark.parametrize("images", [2, 10, 300])
def test_images_that_are_all_right_promise_no_certainty(images: int) -> None:
    """With N right answers and one wrong, N of N + 1 are right, and so sure is each."""
    logits, labels = np.tile(np.array([[3.0, 0.0]]), (images, 1)), np.zeros(images, int)
    sure = softmax(logits, fit_temperature(logits, labels))[:, 0]
    assert sure == pytest.approx(images / (images + 1), rel=1e-4)


def test_temperature_stays_in_its_bounds() -> None:
    """Differences far below 1 ask for the least temperature, and answers that are all wrong for the greatest."""
    logits = np.array([[1e-3, 0.0], [0.0, 1e-3]], dtype=np.float32)
    assert fit_temperature(logits, np.array([0, 1])) == pytest.approx(0.05, rel=1e-3)
    assert fit_temperature(300 * logits, np.array([1, 0])) == pytest.approx(20, rel=1e-3)


def test_reliability_by_hand() -> None:
    """Two images of confidence 0.9, one right, and two of 0.6, both right: two bins and their gap."""
    probabilities, labels = answers([0.9, 0.9, 0.6, 0.6], [True, False, True, True])
    low, high = reliability(probabilities, labels)
    assert list(asdict(low).values()) == pytest.approx([0.6, 1, 2])
    assert list(asdict(high).values()) == pytest.approx([0.9, 0.5, 2])
    assert ece(probabilities, labels) == pytest.approx(0.4)


def test_bins_are_closed_above() -> None:
    """With ten bins a confidence of exactly 0.5 shares the bin of 0.45 and not that of 0.55; 1 is in the last."""
    probabilities = np.array([[0.5, 0.3, 0.2], [0.45, 0.3, 0.25], [0.55, 0.25, 0.2], [1, 0, 0], [0.95, 0.05, 0]])
    assert [part.count for part in reliability(probabilities, np.zeros(5, int), bins=10)] == [2, 1, 2]


@given(SEEDS, st.integers(1, 200), st.integers(1, 30))
@settings(max_examples=25, deadline=None)
def test_ece_is_the_gap_of_the_diagram(seed: int, images: int, bins: int) -> None:
    """The bins hold every image once, and their weighted gaps sum to the ECE."""
    logits, labels = calibrated(images, np.random.default_rng(seed))
    diagram = reliability(softmax(logits), labels, bins)
    assert sum(part.count for part in diagram) == images
    gap = sum(part.count * abs(part.accuracy - part.confidence) for part in diagram) / images
    assert ece(softmax(logits), labels, bins) == pytest.approx(gap)


def test_calibrated_answers_pass_their_null_nineteen_times_in_twenty() -> None:
    """The null's 95 % quantile is exceeded by about 5 % of calibrated models, and by every overconfident one."""
    rng = np.random.default_rng(1)
    above, caught = 0, 0
    for _ in range(200):
        logits, labels = calibrated(500, rng)
        above += ece(softmax(logits), labels) > ece_null(softmax(logits), 200, rng)
        caught += ece(softmax(2 * logits), labels) > ece_null(softmax(2 * logits), 200, rng)
    assert 2 <= above <= 20
    assert caught == 200


def test_overclaim_by_hand() -> None:
    """Only the bin that claims more than it keeps counts, in standard deviations of all claims; draws come as rows."""
    claimed, right = np.array([0.9, 0.9, 0.6, 0.6]), np.array([True, False, True, True])
    claims = Claims(claimed)
    expected = 0.8 / np.sqrt(2 * 0.09 + 2 * 0.24)
    assert claims.over(right) == pytest.approx(expected)
    assert claims.over(np.stack([right, np.ones(4, bool)])).tolist() == pytest.approx([expected, 0])


def test_null_shrinks_with_the_images() -> None:
    """What a calibrated model shows falls as one over the root of the images."""
    rng = np.random.default_rng(2)
    small, large = (ece_null(softmax(calibrated(images, rng)[0]), 300, rng) for images in (500, 8000))
    assert small / large == pytest.approx(4, rel=0.2)


def test_curve_answers_the_surest_first() -> None:
    """Coverage rises and risk counts the wrong ones; images of equal confidence come together."""
    curve = risk_coverage(*answers([0.9, 0.7, 0.7, 0.6], [True, True, False, False]))
    assert curve.threshold.tolist() == [0.9, 0.7, 0.6]
    assert curve.coverage.tolist() == [0.25, 0.75, 1]
    assert curve.risk.tolist() == pytest.approx([0, 1 / 3, 1 / 2])


def test_sets_by_hand() -> None:
    """A class enters while what was ranked before it, and its penalty, stay at the threshold or below."""
    conformal = Conformal(threshold=0.75, coverage=0.9, penalty=0.1, free_ranks=1, images=99)
    sets = raps_sets(conformal, np.array([[0.1, 0.6, 0.3], [0.25, 0.05, 0.7]]))
    assert sets.tolist() == [[False, True, True], [False, False, True]]


def test_threshold_is_the_ranked_score() -> None:
    """Of nine scores 0.9 asks for the ninth; without penalty it is the probability ranked before the truth."""
    probabilities, labels = answers([0.55 + index / 100 for index in range(9)], [False] * 9)
    assert raps_fit(probabilities, labels, 0.9, free_ranks=2).threshold == pytest.approx(0.63)
    assert raps_fit(probabilities, labels, 0.8, free_ranks=2).threshold == pytest.approx(0.62)
    assert raps_fit(probabilities, labels, 0.8, free_ranks=1, penalty=0.2).threshold == pytest.approx(0.82)


def test_too_few_images_give_whole_sets() -> None:
    """Eight images cannot promise 90 %: every class is in every set."""
    logits, labels = calibrated(8, np.random.default_rng(4))
    assert raps_sets(raps_fit(softmax(logits), labels), softmax(logits)).all()


@pytest.mark.parametrize("spread", [2.2, 12.0])
def test_randomised_coverage_is_exact(spread: float) -> None:
    """Coverage averages 90 % and its p falls below 5 % in about 5 %, also where the model is right in 95 %."""
    rng = np.random.default_rng(5)
    seen, low = [], 0
    for _ in range(200):
        logits, labels = calibrated(300, rng, spread)
        conformal = raps_fit(softmax(logits), labels, rng=rng)
        logits, labels = calibrated(300, rng, spread)
        held = raps_sets(conformal, softmax(logits), rng)[np.arange(300), labels]
        seen.append(float(held.mean()))
        low += coverage_p(int(held.sum()), 300, 300, 0.9) <= 0.05
    assert np.mean(seen) == pytest.approx(0.9, abs=0.006)
    assert 3 <= low <= 18


def test_coverage_by_chance() -> None:
    """The p of so few right sets, simulated: threshold by rank among uniform scores, then new images."""
    rng = np.random.default_rng(0)
    threshold = np.sort(rng.random((20_000, 200)), axis=1)[:, 180]  # rank 181 = ceil(201 · 0.9)
    held = rng.binomial(400, threshold)
    for found in (330, 345, 360):
        assert coverage_p(found, 400, 200, 0.9) == pytest.approx(np.mean(held <= found), abs=0.012)


def test_sets_of_all_classes_cannot_hold_too_little() -> None:
    """Eight images cannot promise 90 %, so that nothing is shown against their sets."""
    assert coverage_p(0, 100, 8, 0.9) == 1
    assert coverage_p(0, 100, 9, 0.9) < 1e-9


@given(SEEDS, st.integers(1, 120), st.sampled_from([1.0, 6.0]))
@settings(max_examples=50, deadline=None)
def test_deterministic_sets_are_never_empty(seed: int, images: int, spread: float) -> None:
    """Without a generator each set holds the most probable class and the randomised set, which is one class short."""
    rng = np.random.default_rng(seed)
    logits, labels = calibrated(images, rng, spread)
    conformal = raps_fit(softmax(logits), labels, rng=rng)
    plain, randomised = raps_sets(conformal, softmax(logits)), raps_sets(conformal, softmax(logits), rng)
    assert plain[np.arange(images), logits.argmax(axis=1)].all()
    assert not (randomised & ~plain).any()
    assert (plain & ~randomised).sum(axis=1).max() <= 1


def test_penalty_keeps_sets_small() -> None:
    """The regularised sets lose their long tail and keep their coverage."""
    rng = np.random.default_rng(6)
    fitted, new = calibrated(2000, rng, 1.0), calibrated(2000, rng, 1.0)
    sizes = {}
    for penalty in (0.0, 0.2):
        sets = raps_sets(raps_fit(softmax(fitted[0]), fitted[1], penalty=penalty, free_ranks=6), softmax(new[0]))
        sizes[penalty] = int(sets.sum(axis=1).max())
        assert sets[np.arange(2000), new[1]].mean() == pytest.approx(0.9, abs=0.025)
    assert sizes[0.2] < sizes[0.0]
