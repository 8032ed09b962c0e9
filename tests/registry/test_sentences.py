"""What the checks say: one sentence each, short, with its figure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sightline.evaluate.cost import Cost, Rivals
from sightline.evaluate.paired import paired
from sightline.evaluate.robustness import GATE
from sightline.heads.temperature import softmax
from sightline.params import Gate
from sightline.registry import blessing as names
from sightline.registry import rules
from sightline.registry.blessing import FAILED, INSUFFICIENT, MISSING, NOT_APPLICABLE, PASSED, WORDS, Blessing, Bound
from sightline.registry.check_calibration import check_calibration
from sightline.registry.check_cost import check_cost
from sightline.registry.check_fresh import check_fresh
from sightline.registry.check_robustness import check_robustness
from sightline.registry.check_slices import check_slices
from sightline.registry.rules import BETTER, NO_WORSE, Scored

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.evaluate.paired import Paired

BOUND = Bound(data="d", code="c", weights="w", release="r")
LIMITS, LEVEL = Gate(new_traffic=0.3), 0.00025


def answers(gained: int, lost: int, images: int) -> tuple[np.ndarray, np.ndarray]:
    """Champion and candidate that differ on so many images, both right on the rest."""
    place = np.arange(images)
    return place >= gained, (place < gained) | (place >= gained + lost)


def pair(gained: int, lost: int, images: int) -> Paired:
    return paired(*answers(gained, lost, images))


def overall() -> Iterator[Blessing]:
    right, labels = answers(2000, 0, 12_000)[0], np.arange(12_000) % 7
    yield rules.first(right, labels, LIMITS, BOUND)
    yield rules.first(~right, labels, LIMITS, BOUND)
    for rule in (BETTER, NO_WORSE):
        for one in (pair(100, 0, 12_000), pair(0, 100, 12_000), pair(600, 600, 12_000), pair(16, 15, 1360)):
            judged = rules.later(one, "12", rule, LIMITS, LEVEL, BOUND)
            yield judged
            yield rules.with_best(judged, pair(3, 120, 12_000), "11", LIMITS, LEVEL)
    harmed = rules.harmed(pair(0, 100, 12_000), "12", BOUND)
    assert harmed is not None
    yield harmed
    yield rules.not_asked("not compared with champion version 12: data, slices block", pair(16, 15, 1360), BOUND)


def fresh() -> Iterator[Blessing]:
    groups = np.arange(12_000)
    yield check_fresh(np.ones(12_000, bool), None, groups < 9, groups, BETTER, LIMITS, BOUND)
    yield check_fresh(np.ones(12_000, bool), np.ones(12_000, bool), groups < 0, groups, BETTER, LIMITS, BOUND)
    for gained, lost in ((1500, 100), (120, 118), (100, 1500), (300, 280)):
        champion, candidate = answers(gained, lost, 12_000)
        for new in (groups % 3 == 0, groups % 100 == 0, groups < 30):
            for rule in (BETTER, NO_WORSE):
                for limits in (LIMITS, Gate()):
                    yield check_fresh(candidate, champion, new, groups, rule, limits, BOUND)


def slices() -> Iterator[Blessing]:
    places = np.arange(1200)
    parts = {f"label={name}": places % 60 == name for name in range(20)} | {"camera=7": places < 600}
    tested, right = np.ones(1200, bool), np.ones(1200, bool)
    for candidate, champion in ((right, None), (right, right), (places < 0, right)):
        yield check_slices(candidate, champion, parts, [*parts], tested, places, BOUND)
        yield check_slices(candidate, champion, parts, ["label=new"], tested, places, BOUND)


def calibration() -> Iterator[Blessing]:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(2000, 10)) * 7
    labels = (softmax(logits).cumsum(axis=1) > rng.random((2000, 1))).argmax(axis=1)
    for temperature in (1.0, 0.4):
        sure = softmax(logits, temperature)
        one, calib = (
            Scored(version="1", labels=labels[part], probabilities=sure[part])
            for part in (slice(1000), slice(1000, None))
        )
        vague = Scored(version="2", labels=one.labels, probabilities=softmax(logits[:1000]) ** 0.8)
        for champion in (None, vague):
            for own in (False, True):
                yield check_calibration(one, calib, champion, BOUND, own=own)
    none = Scored(version="1", labels=labels[:0], probabilities=sure[:0])
    yield check_calibration(one, none, None, BOUND)


def robustness() -> Iterator[Blessing]:
    groups, all_right = np.arange(1000), np.ones(1000, bool)
    good, bad = (dict.fromkeys(GATE, groups >= 1000 * share) for share in (0.1, 0.7))
    for champion in (None, good, bad):
        for candidate in (good, bad):
            yield check_robustness(candidate, champion, all_right, groups, LIMITS, BOUND)


def cost() -> Iterator[Blessing]:
    yield check_cost(None, BOUND)
    one = Cost(p50_ms=5, p95_ms=12, memory_mb=12_300)
    for ratio in (1.0, 2.0):
        yield check_cost(Rivals(candidate=one, champion=one, ratios=(ratio,) * 40), BOUND)


EVERY = {
    names.OVERALL: (overall, {PASSED, FAILED, INSUFFICIENT, NOT_APPLICABLE}),
    names.FRESH: (fresh, {PASSED, FAILED, INSUFFICIENT, NOT_APPLICABLE}),
    names.SLICES: (slices, {PASSED, FAILED, MISSING, NOT_APPLICABLE}),
    names.CALIBRATION: (calibration, {PASSED, FAILED, MISSING}),
    names.ROBUSTNESS: (robustness, {PASSED, FAILED, NOT_APPLICABLE}),
    names.COST: (cost, {PASSED, FAILED, NOT_APPLICABLE}),
}


@pytest.mark.parametrize("name", EVERY)
def test_every_verdict_is_one_short_sentence_with_its_figure(name: str) -> None:
    """Of every verdict of a check: 25 words at most, none cut off, and a figure where something was measured."""
    made, verdicts = EVERY[name]
    found = list(made())
    assert {one.verdict for one in found} == verdicts
    for one in found:
        assert one.name == name
        assert len(one.sentence.split()) <= WORDS, one.sentence
        assert not one.sentence.endswith("…"), one.figures["whole"]
        assert re.search(r"\d", one.sentence) or one.verdict in {NOT_APPLICABLE, MISSING}, one.sentence


def test_what_does_not_fit_is_kept_whole() -> None:
    """A long error is cut in the sentence, and stands whole among the figures of the page."""
    text = f"the check did not run: {' '.join(map(str, range(40)))}"
    one = Blessing(name=names.DATA, verdict="missing", sentence=text)
    assert len(one.sentence.split()) == WORDS
    assert one.sentence.endswith("…")
    assert one.figures == {"whole": text}
