"""What has shifted, told of windows whose shift is known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sightline.evaluate.reference import Reference
from sightline.monitor.cause import explain, told_apart
from sightline.monitor.estimate import guess
from sightline.monitor.prevalence import class_weights
from sightline.monitor.scores import Scores
from sightline.monitor.shift import compare
from sightline.monitor.window import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = ("blue", "green", "red")


def images(count: int, shares: tuple[float, ...], rng: np.random.Generator, *, brighter: float = 0.0) -> Reference:
    """Images whose features and pixels depend on their class; the network is right about nine in ten."""
    labels = rng.choice(3, size=count, p=shares)
    features = rng.normal(size=(count, 6)) + 2 * np.eye(3, 6)[labels]
    logits = 2 * features[:, :3] + rng.normal(size=(count, 3))
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    statistics = rng.normal(size=(count, 7)) + np.eye(3, 7)[labels]
    statistics[:, 6] += brighter
    return Reference(
        bundle="bundle",
        release="release",
        classes=CLASSES,
        labels=labels,
        groups=np.arange(count),
        probabilities=(odds / odds.sum(axis=1, keepdims=True)).astype(np.float32),
        features=features.astype(np.float32),
        statistics=statistics.astype(np.float32),
        energy=(-np.log(np.exp(logits).sum(axis=1))).astype(np.float32),
        foreign=rng.random(count).astype(np.float32),
        directions=np.eye(6, 4, dtype=np.float32),
    )


EVEN, UNEVEN = (1 / 3, 1 / 3, 1 / 3), (0.7, 0.2, 0.1)


@pytest.mark.parametrize(
    ("shares", "brighter", "kind"),
    [(UNEVEN, 0.0, "prevalence"), (EVEN, 1.0, "covariate"), (UNEVEN, 1.0, "both"), (EVEN, 0.0, None)],
)
def test_prevalence_and_looks_are_told_apart(shares: tuple[float, ...], brighter: float, kind: str | None) -> None:
    """Of 20 windows of 500 images most are called what they are."""
    rng, called = np.random.default_rng(0), []
    for _ in range(20):
        reference, window = images(800, EVEN, rng), images(500, shares, rng, brighter=brighter)
        scores = Scores.of(reference)
        called.append(told_apart(reference, scores, window.probabilities, scores.of_images(window)))
    assert sum(one == kind for one in called) >= 16


def test_shares_of_the_classes_are_estimated() -> None:
    """The estimated shares are within four points of the true ones, although one answer in ten is wrong."""
    rng = np.random.default_rng(1)
    reference, window = images(2_000, EVEN, rng), images(2_000, UNEVEN, rng)
    weights = class_weights(reference, window.probabilities)
    assert np.abs(weights / 3 - UNEVEN).max() < 0.04


@pytest.mark.slow
def test_plain_tests_rarely_alarm_without_a_shift() -> None:
    """Of 400 windows without any shift about one in twenty at most is said to have shifted, weighted or not."""
    rng, plain, weighted = np.random.default_rng(2), 0, 0
    for _ in range(400):
        reference, window = images(300, EVEN, rng), images(100, EVEN, rng)
        scores = Scores.of(reference)
        line, values = scores.of_images(reference), scores.of_images(window)
        plain += compare(line, values, scores.groups).p < 0.05
        uneven = rng.random(len(line)) + 0.5
        weighted += compare(line, values, scores.groups, uneven).p < 0.05
    # 31 of 400 come by chance in 1 %.
    assert max(plain, weighted) <= 31


def window_of(traffic: Reference, scores: Scores, **words: NDArray[np.str_]) -> Window:
    count = len(traffic.labels)
    nothing: dict[str, Any] = {name: np.full(count, "") for name in ("file", "answer", "site", "camera")}
    return Window(
        at=np.arange(count),
        request=np.arange(count).astype(str),
        place=np.zeros(count, dtype=np.int64),
        probabilities=traffic.probabilities,
        scores=scores.of_images(traffic).astype(np.float32),
        wealth=np.ones(count),
        **(nothing | words),
    )


def test_the_camera_and_the_statistic_are_named() -> None:
    """Where one camera's images are brighter, it is named, and the statistic; the other camera is not."""
    rng = np.random.default_rng(3)
    reference, calm, bright = images(800, EVEN, rng), images(150, EVEN, rng), images(150, EVEN, rng, brighter=3.0)
    scores = Scores.of(reference)
    names = ("labels", "probabilities", "features", "statistics", "energy", "foreign")
    both: dict[str, Any] = {name: np.concatenate([getattr(calm, name), getattr(bright, name)]) for name in names}
    cameras = np.repeat(["left", "right"], 150)
    found = explain(reference, scores, window_of(replace(calm, **both), scores, camera=cameras))
    assert [one.name for one in found.cameras] == ["right"]
    assert found.statistics[0].name == scores.names[-1]
    assert found.kind == "covariate"
    assert found.classes == ()


def test_accuracy_is_guessed_within_its_interval() -> None:
    """Without a shift the interval holds the true accuracy of the window nearly always; too few images give none."""
    rng, held = np.random.default_rng(4), 0
    for _ in range(40):
        reference, window = images(500, EVEN, rng), images(300, EVEN, rng)
        found = guess(reference.probabilities, reference.right, window.probabilities)
        assert found is not None
        held += found.low <= window.right.mean() <= found.high
    assert held >= 38
    assert guess(reference.probabilities, reference.right, window.probabilities[:20]) is None


def test_accuracy_is_guessed_where_answers_are_as_sure_as_can_be() -> None:
    """Where most are alike in that, so that no threshold parts them, the interval still holds the true accuracy."""
    rng, held = np.random.default_rng(5), 0
    for _ in range(40):
        reference, window = images(500, EVEN, rng), images(300, EVEN, rng)
        sure = [one.probabilities.argmax(axis=1)[:, None] == np.arange(3) for one in (reference, window)]
        found = guess(sure[0].astype(np.float32), reference.right, sure[1].astype(np.float32))
        assert found is not None
        held += found.low <= window.right.mean() <= found.high
    assert held >= 38


def test_classes_that_the_version_does_not_know_tell_of_no_shares() -> None:
    """A shift beside a reference of such alone is one of the images, as far as anybody can tell."""
    rng = np.random.default_rng(6)
    reference, bright = images(200, EVEN, rng), images(200, EVEN, rng, brighter=3.0)
    reference = replace(reference, labels=np.full(200, 3), classes=(*CLASSES, "zebra"))
    scores = Scores.of(reference)
    assert explain(reference, scores, window_of(bright, scores)).kind == "covariate"
