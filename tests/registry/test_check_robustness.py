"""What corrupted images may cost."""

from __future__ import annotations

import numpy as np
import pytest

from sightline.evaluate.robustness import GATE
from sightline.params import Gate
from sightline.registry.blessing import FAILED, NOT_APPLICABLE, PASSED, Blessing, Bound
from sightline.registry.check_robustness import ALPHA, check_robustness, harm_p

LIMITS = Gate()
BOUND = Bound(data="d", code="c", weights="w", release="r")


def answers(n: int, share: float, seed: int) -> dict[str, np.ndarray]:
    """Right answers to `n` images under each corruption; models of one seed agree where they can."""
    luck = np.random.default_rng(seed).random((len(GATE), n))
    return {name: row < share for name, row in zip(GATE, luck, strict=True)}


def judged(candidate: dict[str, np.ndarray], champion: dict[str, np.ndarray] | None, copies: int = 1) -> Blessing:
    n = len(candidate[GATE[0]])
    return check_robustness(candidate, champion, np.ones(n, bool), np.arange(n) // copies, LIMITS, BOUND)


def test_harm_beyond_the_margin_blocks_and_less_is_told() -> None:
    """Ten points less under corruption are shown, four are told with their figure."""
    failed = judged(answers(500, 0.7, 0), answers(500, 0.8, 0))
    assert failed.verdict == FAILED
    assert "a loss above 5 is shown" in failed.sentence
    told = judged(answers(500, 0.76, 0), answers(500, 0.8, 0))
    assert told.verdict == PASSED
    assert "points; a loss above 5 is not shown" in told.sentence


def test_seeds_of_one_recipe_pass() -> None:
    """Two models of one quality, three points apart by their seeds, pass: at a margin of one they failed."""
    pairs = [(answers(500, 0.75, seed), answers(500, 0.78, seed + 1000)) for seed in range(200)]
    assert sum(judged(own, other).verdict == FAILED for own, other in pairs) <= 2


def test_copies_are_one_piece_of_evidence() -> None:
    """What eight pictures show is not shown better by forty copies of each."""
    candidate, champion = answers(8, 0.4, 3), answers(8, 0.5, 3)
    many = [{name: np.repeat(row, 40) for name, row in model.items()} for model in (candidate, champion)]
    alone, copied = judged(candidate, champion), judged(many[0], many[1], copies=40)
    assert alone.figures["p"] == pytest.approx(copied.figures["p"])
    assert (copied.verdict, judged(many[0], many[1]).verdict) == (PASSED, FAILED)


@pytest.mark.slow
def test_error_at_the_margin_is_the_one_that_is_meant() -> None:
    """A model that loses exactly the margin is blocked in about one case in a hundred, alone and in groups of ten."""
    rng = np.random.default_rng(0)
    for copies in (1, 10):
        p = [
            harm_p(
                np.repeat(rng.choice([-1, 0, 1], 400 // copies, p=[0.1, 0.85, 0.05]), copies),
                np.arange(400) // copies,
                0.05,
            )
            for _ in range(2000)
        ]
        assert np.mean(np.array(p) <= ALPHA) < 0.02


def test_few_equal_differences_prove_little() -> None:
    """Four images that all get worse are no proof; ten are."""
    assert harm_p(np.full(4, -1.0), np.arange(4), 0.05) > ALPHA
    assert harm_p(np.full(10, -1.0), np.arange(10), 0.05) < ALPHA


def test_weakness_of_a_first_champion_is_told_in_plain_words() -> None:
    """Right in one of ten under lowered contrast: nothing to compare with, and a warning for the headline."""
    own = answers(300, 0.9, 0)
    own["contrast"] = np.arange(300) < 30
    done = judged(own, None)
    assert done.verdict == NOT_APPLICABLE
    assert done.warning == "weak: right in 10.0% under lowered contrast"
    assert judged(answers(300, 0.9, 0), None).warning == ""
