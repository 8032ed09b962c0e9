"""Several labels for each image: loss, score, decisions and what is promised of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from sklearn.metrics import average_precision_score, f1_score
from torch import nn

from sightline.heads import decisions
from sightline.heads.decisions import Decisions
from sightline.heads.known import of
from sightline.heads.labels import MULTILABEL
from sightline.heads.ranking import average_precisions, interval, mean_average_precision

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEAD = of(MULTILABEL)


@dataclass(frozen=True)
class Card:
    """What the head reads of a bundle's."""

    classes: tuple[str, ...]
    decoding: dict[str, Any] | None
    temperature: float = 1.0
    abstain_below: float | None = None
    conformal: None = None
    size: int = 8


def card(thresholds: tuple[float, ...] = (0.5, 0.5, 0.5), likely_from: float | None = None, **more: Any) -> Card:
    found = Decisions(shifts=(0.0,) * len(thresholds), thresholds=thresholds, likely_from=likely_from, images=9)
    return Card(("a", "b", "c")[: len(thresholds)], asdict(found), **more)


def drawn(count: int, shift: float = 0.0, seed: int = 0, classes: int = 4) -> tuple[NDArray[Any], NDArray[Any]]:
    """Logits whose sigmoids are right once `shift` is taken away and they are halved, and labels."""
    rng = np.random.default_rng(seed)
    true = rng.normal(-1, 2, (count, classes))
    labels = (rng.random(true.shape) < decisions.sigmoid(true)).astype(np.uint8)
    return (2 * true + shift).astype(np.float32), labels


@pytest.mark.parametrize("ties", [0, 1])
def test_average_precision_is_that_of_scikit_learn(ties: int) -> None:
    """With equal scores too, in which any order would be a guess."""
    logits, labels = drawn(200)
    scores = np.round(logits) if ties else logits
    wanted = [average_precision_score(labels[:, number], scores[:, number]) for number in range(4)]
    np.testing.assert_allclose(average_precisions(scores, labels), wanted, rtol=1e-12)


def test_class_that_no_image_shows_is_left_out() -> None:
    """It has no precision; where no class is there at all the score is 0."""
    scores, labels = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([[1, 0], [0, 0]])
    assert mean_average_precision(scores, labels) == 1.0
    assert np.isnan(average_precisions(scores, labels)[1])
    assert mean_average_precision(scores, np.zeros((2, 2))) == 0.0


def test_interval_holds_the_score() -> None:
    """The bootstrap lies around it, closer the more images there are."""
    widths = []
    for count in (60, 600):
        logits, labels = drawn(count)
        low, high = interval(logits, labels)
        assert low < mean_average_precision(logits, labels) < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_loss_is_as_steep_as_that_of_one_class() -> None:
    """The sum over the classes: the gradient of a logit is its error over the number of images, whatever C is."""
    for classes in (2, 80):
        logits = torch.zeros(5, classes, requires_grad=True)
        HEAD.loss(logits, torch.ones(5, classes, dtype=torch.uint8), None, 0.0).backward()
        torch.testing.assert_close(logits.grad, torch.full((5, classes), -0.1))


def test_parts_of_a_batch_make_its_loss() -> None:
    """Weighed by their images, as the loop does, with weights too."""
    generator = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(9, 3, generator=generator), torch.randint(0, 2, (9, 3), generator=generator)
    weights = HEAD.class_weights(targets, 3)
    parts = zip(logits.split([4, 5]), targets.split([4, 5]), strict=True)
    total = sum(HEAD.loss(one, wanted, weights, 0.1) * HEAD.counts(wanted, weights) for one, wanted in parts)
    torch.testing.assert_close(total / HEAD.counts(targets, weights), HEAD.loss(logits, targets, weights, 0.1))


def test_weights_even_out_rare_classes() -> None:
    """So that a class weighs as much where it is there as where it is not, up to a limit."""
    labels = torch.tensor([[1, 0], *[[0, 0]] * 3])
    weights = HEAD.class_weights(labels, 2)
    assert weights[0] == 3
    assert weights[1] < 100


def test_untrained_head_says_how_frequent_classes_are() -> None:
    """Whatever the features are at first, the bias tells the share of each class."""
    head, labels = nn.Linear(2, 2), torch.tensor([[1, 0]] * 3 + [[0, 0]] * 6, dtype=torch.uint8)
    HEAD.begin(nn.ModuleDict({"head": head}), labels)
    torch.testing.assert_close(torch.sigmoid(head.bias), torch.tensor([0.35, 0.05]))


def test_images_are_drawn_by_their_rarest_class() -> None:
    """One that shows nothing is drawn like the most frequent ones, and never left out."""
    labels = torch.tensor([[1, 0], [1, 1], [1, 0], [0, 0]])
    chances = HEAD.chances(labels, 2)
    assert chances.argmax() == 1
    assert chances[3] == chances[0] == chances.min() > 0


def test_calibration_finds_temperature_and_shift() -> None:
    """Logits twice too large, and three too high: both are undone, and the claims are then kept."""
    logits, labels = drawn(20_000, shift=3.0)
    temperature, shifts = decisions.calibrate(logits, labels)
    assert temperature == pytest.approx(2, rel=0.05)
    np.testing.assert_allclose(shifts, 3, atol=0.2)
    probabilities = decisions.sigmoid((logits - shifts) / temperature)
    np.testing.assert_allclose(probabilities.mean(axis=0), labels.mean(axis=0), atol=0.01)


def test_calibration_of_a_class_that_is_never_there_stays_finite() -> None:
    """Few images are no proof that it never is."""
    logits, labels = drawn(30)
    labels[:, 0] = 0
    _, shifts = decisions.calibrate(logits, labels)
    assert np.isfinite(shifts).all()


def test_threshold_has_the_highest_f1() -> None:
    """Of all thresholds, for each class by itself."""
    logits, labels = drawn(300)
    probabilities = decisions.sigmoid(logits)
    for number, limit in enumerate(decisions.thresholds(probabilities, labels)):
        scores = [f1_score(labels[:, number], probabilities[:, number] >= one) for one in probabilities[:, number]]
        assert f1_score(labels[:, number], probabilities[:, number] >= limit) == pytest.approx(max(scores))


def test_class_of_few_images_takes_the_threshold_of_all() -> None:
    """What is best for three images is an accident."""
    logits, labels = drawn(300)
    labels[:, 0] = 0
    labels[:3, 0] = 1
    own = decisions.thresholds(decisions.sigmoid(logits), labels)
    assert own[0] not in own[1:]
    labels[3:60, 0] = 1
    assert decisions.thresholds(decisions.sigmoid(logits), labels)[0] != own[0]


def test_sets_miss_as_few_labels_as_was_promised() -> None:
    """Over many calibrations the labels that new images miss are at most a tenth on average, and nearly that."""
    missed = []
    for seed in range(60):
        logits, labels = drawn(400, seed=seed)
        probabilities = decisions.sigmoid(logits)
        limit = decisions.likely_from(probabilities[:100], labels[:100])
        assert limit is not None
        there = labels[100:].astype(bool)
        lost = (there & (probabilities[100:] < limit)).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
        missed.append(lost.mean())
    assert 0.07 < np.mean(missed) <= 0.1


def test_too_few_calibration_images_promise_nothing() -> None:
    """With nine the one that counts against them is a tenth already; without any one half decides."""
    logits, labels = drawn(8)
    assert decisions.likely_from(decisions.sigmoid(logits), labels) is None
    temperature, found = decisions.fit(logits[:0], labels[:0])
    assert (temperature, found.thresholds, found.likely_from) == (1.0, (0.5,) * 4, None)


def test_answer_names_what_reaches_its_threshold() -> None:
    """The most probable first, as sure as its least sure decision; the set holds what may be there besides."""
    answer = HEAD.answer(b"", np.array([0.6, 0.9, 0.2]), card((0.5, 0.5, 0.5), likely_from=0.15), 0.5)
    assert (answer.label, answer.labels, answer.likely) == ("a;b", ("b", "a"), ("b", "a", "c"))
    assert answer.probability == pytest.approx(0.6)
    assert (answer.foreign, answer.abstain) == (False, False)


def test_answer_may_be_that_none_is_there() -> None:
    """With the least sure "not there" as its probability, and abstention by it."""
    answer = HEAD.answer(b"", np.array([0.1, 0.3, 0.2]), card(abstain_below=0.8), None)
    assert (answer.label, answer.labels, answer.names, answer.likely) == (";", (), (), None)
    assert answer.probability == pytest.approx(0.7)
    assert answer.abstain is True


def test_figure_is_the_f1_of_the_labels() -> None:
    """1 where nothing is there and nothing is said; a class that the model does not know is missed."""
    rows = np.array([[0.9, 0.9, 0.1, 0.0], [0.1, 0.1, 0.1, 0.0], [0.9, 0.1, 0.1, 0.0]])
    labels = np.array([[1, 0, 0, 0], [0, 0, 0, 0], [1, 0, 0, 1]])
    np.testing.assert_allclose(HEAD.figures(rows, labels, card()), [2 / 3, 1, 2 / 3])


def test_floor_is_the_best_answer_that_is_always_the_same() -> None:
    """Tried for every number of the most frequent classes."""
    labels = np.array([[1, 1, 0]] * 6 + [[1, 0, 0]] * 2 + [[0, 0, 1]])
    assert HEAD.floor(labels) == pytest.approx((6 * 1 + 2 * 2 / 3) / 9)
    assert HEAD.floor(np.zeros((4, 3), dtype=np.int64)) == 1.0


@pytest.mark.parametrize("wrong", [{}, {"shifts": [0.0], "thresholds": [0.5], "likely_from": None, "images": 1}])
def test_card_without_a_number_for_each_class_is_refused(wrong: dict[str, Any]) -> None:
    """A bundle of other hands does not answer by half of its thresholds."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        HEAD.check(Card(("a", "b"), wrong))


def test_graph_and_bundle_compute_the_same() -> None:
    """The torch form of the probabilities is that of NumPy."""
    logits, _ = drawn(20, classes=3)
    known = Card(("a", "b", "c"), {**card().decoding, "shifts": [0.5, -1.0, 2.0]}, temperature=1.7)  # type: ignore[dict-item]
    found = HEAD.activation(torch.from_numpy(logits), known).numpy()
    np.testing.assert_allclose(found, HEAD.probabilities(logits, known), rtol=1e-5)


def test_losses_of_images_have_the_mean_of_the_batch() -> None:
    """What validation tells is what training lowers, but for weights and smoothing."""
    logits, labels = (torch.from_numpy(one) for one in drawn(20))
    torch.testing.assert_close(HEAD.losses(logits, labels).mean(), HEAD.loss(logits, labels, None, 0.0))
    assert HEAD.rated(logits, labels)[0] == pytest.approx(float(HEAD.losses(logits, labels).mean()))
    assert HEAD.fitted_loss(logits, labels) < HEAD.rated(logits, labels)[0]
    wanted = F.binary_cross_entropy_with_logits(logits, labels.float(), reduction="none").sum(1)
    torch.testing.assert_close(HEAD.losses(logits, labels), wanted)


def test_answers_under_watch() -> None:
    """An answer is as sure as its least sure decision, and agrees with a person by the F1 of its labels."""
    probabilities = np.array([[0.9, 0.2, 0.6], [0.99, 0.01, 0.01], [0.5, 0.0, 1.0]])
    np.testing.assert_allclose(HEAD.confidence(probabilities), [0.6, 0.99, 0.5])
    np.testing.assert_allclose(HEAD.lead(probabilities), [0.2, 0.98, 0.0], atol=1e-12)
    certain = HEAD.certainty(probabilities)
    assert certain[1] > certain[2] > certain[0]
    assert HEAD.certainty(np.array([[0.5, 0.5]])) == pytest.approx(2 * np.log(0.5))
    assert HEAD.agreement("a;b", "b; c") == pytest.approx(0.5)
    assert (HEAD.agreement(";", ";"), HEAD.agreement(";", "a"), HEAD.agreement("b;a", "a;b")) == (1.0, 0.0, 1.0)
    assert HEAD.audited(5.0, 20, 0.3) == "20 labelled audit images have a mean F1 of 75.0%, 70.0% would be enough"
