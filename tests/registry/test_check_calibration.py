"""Calibration: what blocks a first champion, and what blocks beside a champion."""

from __future__ import annotations

import numpy as np

from sightline.evaluate import confidence
from sightline.heads.temperature import fit_temperature, softmax
from sightline.registry.blessing import FAILED, MISSING, PASSED, Bound
from sightline.registry.check_calibration import check_calibration
from sightline.registry.rules import Scored

BOUND = Bound(data="d", code="c", weights="w", release="r")


def answers(n: int, sharpen: float, seed: int = 0) -> Scored:
    """Answers that are as right as they say; `sharpen` above 1 makes them say more."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 5))
    odds = np.exp(logits)
    truth = np.array([rng.choice(5, p=row / row.sum()) for row in odds])
    louder = np.exp(logits * sharpen)
    return Scored(version="1", labels=truth, probabilities=louder / louder.sum(axis=1, keepdims=True))


def fitted(calib: int, test: int, spread: float, rng: np.random.Generator, *, perfect: bool = False) -> tuple[str, str]:
    """The verdict and sentence on a model whose one fault is a temperature fitted on `calib` images."""
    logits = rng.normal(0, spread, (calib + test, 10))
    labels = (softmax(logits).cumsum(axis=1) > rng.random((len(logits), 1))).argmax(axis=1)
    labels = logits.argmax(axis=1) if perfect else labels
    temperature = fit_temperature(logits[:calib], labels[:calib])
    scored = Scored(version="1", labels=labels, probabilities=softmax(logits, temperature))
    first, second = (
        Scored(version="1", labels=labels[part], probabilities=scored.probabilities[part])
        for part in (slice(None, calib), slice(calib, None))
    )
    done = check_calibration(second, first, None, BOUND)
    return done.verdict, done.sentence


def test_honest_answers_pass() -> None:
    """A model that is right as often as it says passes."""
    done = check_calibration(answers(2000, 1.0), answers(1000, 1.0, 1), None, BOUND)
    assert done.verdict == PASSED, done.sentence


def test_model_that_is_always_right_passes() -> None:
    """Right in 834 of 834 images passes, whatever draw decides about its sets and however little it claims."""
    for seed in range(10):
        verdict, said = fitted(144, 834, 6, np.random.default_rng(seed), perfect=True)
        assert verdict == PASSED, said


def test_temperature_from_few_images_is_no_fault() -> None:
    """Of 120 sound models that are right in 97 %, fitted on 36 and on 144 images, none is refused."""
    rng = np.random.default_rng(0)
    refused = [
        said
        for calib in (36, 144)
        for _ in range(60)
        for verdict, said in [fitted(calib, 400, 30, rng)]
        if verdict == FAILED
    ]
    assert not refused


def test_overconfident_model_is_blocked() -> None:
    """A model that is surer than it is right is blocked with its figures, though its answers are the same."""
    done = check_calibration(answers(600, 2.0), answers(300, 2.0, 1), None, BOUND)
    assert done.verdict == FAILED
    assert "not as right as it says" in done.sentence
    assert "300 images (datasets.target.roles.calib)" in done.sentence
    assert done.figures["ece_p"] <= 0.001


def quarrel(calib: int, test: int, rng: np.random.Generator) -> tuple[Scored, Scored]:
    """Answers for test and calibration images, right in 97 %, at half of the temperature that the latter ask for."""
    logits = rng.normal(0, 32, (calib + test, 10))
    labels = (softmax(logits).cumsum(axis=1) > rng.random((len(logits), 1))).argmax(axis=1)
    probabilities = softmax(logits, fit_temperature(logits[:calib], labels[:calib]) / 2)
    first, second = (
        Scored(version="1", labels=labels[part], probabilities=probabilities[part])
        for part in (slice(None, calib), slice(calib, None))
    )
    return second, first


def test_temperature_that_its_own_images_contradict_is_blocked() -> None:
    """Where few answers are wrong, the claims alone show little; a fit to the same images tells."""
    rng = np.random.default_rng(0)
    pairs = [quarrel(300, 300, rng) for _ in range(20)]
    done = [check_calibration(*pair, None, BOUND, own=True) for pair in pairs]
    assert sum(one.verdict == FAILED for one in done) >= 19
    assert any("its temperature is 2.0 times too low" in one.sentence for one in done)
    # Of images that came since nothing says which the fit has seen.
    assert sum(check_calibration(*pair, None, BOUND).verdict == FAILED for pair in pairs) < 17


def test_model_that_claims_too_little_passes() -> None:
    """Answers that are right more often than they say harm nobody: it is told and blocks nothing."""
    done = check_calibration(answers(2000, 0.5), answers(1000, 0.5, 1), None, BOUND)
    assert done.verdict == PASSED
    assert done.figures["ece"] > 0.1


def test_claims_block_beside_a_better_champion_alone() -> None:
    """What is shown to claim too much may follow a champion that claims even more."""
    loud, calib = answers(600, 2.0), answers(300, 2.0, 1)
    louder, honest = answers(600, 4.0), answers(600, 1.0)
    assert check_calibration(loud, calib, louder, BOUND).verdict == PASSED
    assert check_calibration(loud, calib, honest, BOUND).verdict == FAILED


def test_worse_log_loss_than_the_champion_is_blocked() -> None:
    """Where the candidate's answers are vaguer on the same images, that is shown."""
    honest, calib = answers(2000, 1.0), answers(1000, 1.0, 1)
    rng = np.random.default_rng(2)
    blurred = honest.probabilities * 0.6 + rng.dirichlet(np.ones(5), 2000) * 0.4
    vague = Scored(version="2", labels=honest.labels, probabilities=blurred)
    done = check_calibration(vague, calib, honest, BOUND)
    assert done.verdict == FAILED
    assert "against the champion: more than 0.01 is shown" in done.sentence


def test_log_loss_within_the_margin_passes() -> None:
    """A loss that is higher by .005 in every image, which is certain and means nothing, blocks nothing."""
    honest, calib = answers(2000, 1.0), answers(1000, 1.0, 1)
    paler = Scored(version="2", labels=honest.labels, probabilities=honest.probabilities * np.exp(-0.005))
    done = check_calibration(paler, calib, honest, BOUND)
    assert done.verdict == PASSED, done.sentence


def test_conformal_sets_fitted_on_other_images_are_blocked() -> None:
    """Where the calibration images are easier than the test images, the sets hold the truth too seldom."""
    hard = answers(2000, 1.0)
    easy = answers(1000, 1.0, 1)
    certain = Scored(version="1", labels=easy.probabilities.argmax(axis=1), probabilities=easy.probabilities)
    done = check_calibration(hard, certain, None, BOUND)
    assert done.verdict == FAILED
    assert "its sets of likely classes" in done.sentence


def test_no_calibration_images_is_a_missing_check() -> None:
    """Without them nothing can be said, and the remedy is named."""
    none = Scored(version="1", labels=np.zeros(0, dtype=np.int64), probabilities=np.zeros((0, 5)))
    done = check_calibration(answers(100, 1.0), none, None, BOUND)
    assert done.verdict == MISSING
    assert "datasets.target.roles.calib" in done.sentence


def test_gate_and_report_tell_the_same() -> None:
    """One coverage and one calibration error, whoever computes them from the same answers."""
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, (900, 5))
    labels = (softmax(logits).cumsum(axis=1) > rng.random((900, 1))).argmax(axis=1)
    known = confidence.fit(logits[:400], labels[:400], 0.9)
    told = confidence.tell(known, logits[400:], labels[400:])
    calib, test = (
        Scored(version="1", labels=labels[part], probabilities=softmax(logits[part], known.temperature))
        for part in (slice(None, 400), slice(400, None))
    )
    figures = check_calibration(test, calib, None, BOUND).figures
    assert (figures["coverage"], figures["ece"]) == (told["conformal"]["coverage"], told["ece_after"])
