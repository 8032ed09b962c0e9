"""The monitor where an image may have several labels: windows whose shift is known, and labels of an audit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sightline.evaluate.reference import Reference
from sightline.heads.decisions import f1, sigmoid
from sightline.heads.known import of
from sightline.heads.labels import MULTILABEL
from sightline.monitor.cause import explain, told_apart
from sightline.monitor.estimate import guess
from sightline.monitor.harm import Verdict, allowed
from sightline.monitor.prevalence import Sets
from sightline.monitor.scores import Scores
from sightline.monitor.window import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = ("crack", "dent", "rust", "stain")
OFTEN, MORE_RUST = (0.5, 0.3, 0.2, 0.3), (0.5, 0.3, 0.5, 0.3)


def images(
    count: int, often: tuple[float, ...], rng: np.random.Generator, *, brighter: float = 0.0, faint: float = 1.0
) -> Reference:
    """Images whose features and pixels depend on what they show; a dent seldom comes without a crack."""
    labels = (rng.random((count, 4)) < often).astype(np.uint8)
    labels[:, 1] &= labels[:, 0] | (rng.random(count) < 0.2).astype(np.uint8)
    features = rng.normal(size=(count, 6)) + 3 * labels @ np.eye(4, 6)
    logits = faint * (3 * (features[:, :4] - 1.5) + (1 - faint) * 6 * rng.normal(size=(count, 4)))
    statistics = rng.normal(size=(count, 7)) + labels @ np.eye(4, 7)
    statistics[:, 6] += brighter
    probabilities = sigmoid(logits)
    return Reference(
        bundle="bundle",
        release="release",
        classes=CLASSES,
        labels=labels,
        groups=np.arange(count),
        probabilities=probabilities.astype(np.float32),
        features=features.astype(np.float32),
        statistics=statistics.astype(np.float32),
        energy=logits.max(axis=1).astype(np.float32),
        foreign=rng.random(count).astype(np.float32),
        directions=np.eye(6, 4, dtype=np.float32),
        task=MULTILABEL,
        scored=f1(probabilities >= 0.5, labels),
    )


@pytest.mark.parametrize(
    ("often", "brighter", "kind"),
    [(MORE_RUST, 0.0, "prevalence"), (OFTEN, 1.0, "covariate"), (OFTEN, 0.0, None)],
)
def test_prevalence_and_looks_are_told_apart(often: tuple[float, ...], brighter: float, kind: str | None) -> None:
    """Of 20 windows of 500 images most are called what they are."""
    rng, called = np.random.default_rng(0), []
    for _ in range(20):
        reference, window = images(800, OFTEN, rng), images(500, often, rng, brighter=brighter)
        scores = Scores.of(reference)
        called.append(told_apart(reference, scores, window.probabilities, scores.of_images(window)))
    assert sum(one == kind for one in called) >= 16


def test_the_share_of_each_class_is_estimated_by_itself() -> None:
    """Within three points of what the window shows; and the weighted reference shows just that."""
    rng = np.random.default_rng(1)
    reference, window = images(2_000, OFTEN, rng), images(2_000, MORE_RUST, rng)
    before, now = Sets().shares(reference, window.probabilities)
    np.testing.assert_allclose(before, reference.labels.mean(axis=0))
    np.testing.assert_allclose(now, window.labels.mean(axis=0), atol=0.03)
    weights = Sets().weights(reference, now)
    np.testing.assert_allclose(weights @ reference.labels / weights.sum(), now, atol=0.01)


def window_of(traffic: Reference, scores: Scores) -> Window:
    count = len(traffic.labels)
    words: dict[str, Any] = {name: np.full(count, "") for name in ("file", "answer", "site", "camera")}
    return Window(
        at=np.arange(count),
        request=np.arange(count).astype(str),
        place=np.zeros(count, dtype=np.int64),
        probabilities=traffic.probabilities,
        scores=scores.of_images(traffic).astype(np.float32),
        wealth=np.ones(count),
        **words,
    )


def test_the_class_that_comes_more_often_is_named() -> None:
    """With its shares before and now, and no other."""
    rng = np.random.default_rng(2)
    reference, window = images(800, OFTEN, rng), images(500, MORE_RUST, rng)
    scores = Scores.of(reference)
    found = explain(reference, scores, window_of(window, scores))
    assert found.kind == "prevalence"
    assert [one.name for one in found.classes] == ["rust"]
    assert found.classes[0].before == pytest.approx(0.2, abs=0.05)
    assert found.classes[0].now == pytest.approx(0.5, abs=0.07)


def test_answers_name_a_class_from_its_own_threshold_on() -> None:
    """A rare one whose probabilities all lie below one half is counted, and its shift is told."""
    rng = np.random.default_rng(5)
    faint = np.array([1, 1, 0.45, 1], dtype=np.float32)
    reference, window = (
        replace(made, probabilities=made.probabilities * faint, thresholds=np.array([0.5, 0.5, 0.22, 0.5]))
        for made in (images(800, OFTEN, rng), images(500, MORE_RUST, rng))
    )
    counted = [Sets().called(reference, one.probabilities)[:, 2].mean() for one in (reference, window)]
    np.testing.assert_allclose(counted, (0.2, 0.5), atol=0.07)
    assert not Sets().called(replace(reference, thresholds=None), window.probabilities)[:, 2].any()
    scores = Scores.of(reference)
    found = explain(reference, scores, window_of(window, scores))
    assert found.kind == "prevalence"
    assert [one.name for one in found.classes] == ["rust"]


def test_an_image_with_an_unknown_class_is_not_weighed() -> None:
    """A class that the version does not know has a column behind the others, and its images tell of no shift."""
    rng, called = np.random.default_rng(3), []
    more = np.zeros((800, 1), dtype=np.uint8)
    more[:40] = 1
    for _ in range(20):
        made, window = images(800, OFTEN, rng), images(300, OFTEN, rng)
        reference = replace(made, classes=(*CLASSES, "moss"), labels=np.hstack([made.labels, more]))
        assert Sets().known(reference).sum() == 760
        scores = Scores.of(reference)
        called.append(told_apart(reference, scores, window.probabilities, scores.of_images(window)))
    assert called.count(None) >= 16


def test_f1_is_guessed_from_the_answers() -> None:
    """Within its interval without a shift; far lower where the images are faint."""
    rng, held, lows = np.random.default_rng(4), 0, []
    for _ in range(40):
        reference, window = images(500, OFTEN, rng), images(300, OFTEN, rng)
        found = guess(reference.probabilities, reference.right, window.probabilities, of(MULTILABEL))
        assert found is not None
        held += found.low <= window.right.mean() <= found.high
        lows.append(found.low)
    assert held >= 38
    bad = images(300, OFTEN, rng, faint=0.3)
    lower = guess(reference.probabilities, reference.right, bad.probabilities, of(MULTILABEL))
    assert lower is not None
    assert lower.high < min(lows)


def test_reference_is_read_again_as_it_was() -> None:
    """Labels of sets and their figures too; one from before there were others has one class for each image."""
    made = images(30, OFTEN, np.random.default_rng(5))
    again = Reference.decode(made.encode())
    for name, value in vars(made).items():
        np.testing.assert_array_equal(getattr(again, name), value)
    told = {**vars(made), "labels": made.labels.argmax(axis=1), "scored": None}
    del told["task"]
    assert Reference.decode(Reference(**told).encode()).right.dtype == bool


def figures(mean: float, count: int, rng: np.random.Generator) -> NDArray[Any]:
    """F1 figures with that mean, few of them 0 or 1."""
    return rng.beta(6 * mean, 6 * (1 - mean), count)


def test_partly_wrong_answers_are_rarely_called_harm_and_a_fall_is() -> None:
    """Of 200 series with the mean F1 that is allowed few are ever called harmful; one that is ten points worse is."""
    called, found = 0, 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        calm, worse = Verdict(0.25), Verdict(0.25)
        calm.enter(("", 1 - one) for one in figures(0.75, 600, rng))
        worse.enter(("", 1 - one) for one in figures(0.55, 600, rng))
        called, found = called + (calm.since is not None), found + (worse.since is not None)
    # One in a hundred at most; 6 of 200 come by chance in 1.7 %.
    assert called <= 6
    assert found >= 190


def test_what_is_allowed_holds_the_mean_of_partly_wrong_answers() -> None:
    """The bound is above the true mean error in at least 95 of 100 references."""
    rng = np.random.default_rng(6)
    assert sum(allowed(figures(0.8, 100, rng), 0.0) >= 0.2 for _ in range(200)) >= 185
    assert allowed(np.ones(59), 0.02) == pytest.approx(1 - 0.05 ** (1 / 59) + 0.02)
