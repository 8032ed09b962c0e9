"""The task of boxes: calibrated answers, decisions, figures of an image, and what the gate compares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from boxed import draw

from sightline.heads.boxed import Boxed, calibrated, f1, sureness
from sightline.heads.detect import Detect
from sightline.heads.known import of
from sightline.heads.labels import DETECT
from sightline.heads.targets import CLASS, NOTHING, OBJECT, packed
from sightline.images.letterbox import placed
from sightline.images.reading import png
from sightline.models.bundle import Card
from sightline.serve.record import EDGES, as_label

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEAD = Detect()
SIZE = 64


def card(**values: Any) -> Card:
    decoding = {"shifts": (0.0, 0.0), "thresholds": (0.5, 0.5), "images": 9}
    known = {"task": DETECT, "decoding": decoding, "fit": "letterbox"}
    return Card("cnn", SIZE, ("green", "red"), 1.0, "", **{**known, **values})


def answers(*rows: list[tuple[float, ...]]) -> NDArray[np.float32]:
    """(N, 100, 6) of the boxes of each image."""
    found = np.zeros((len(rows), 100, 6), dtype=np.float32)
    found[..., CLASS] = NOTHING
    for number, some in enumerate(rows):
        found[number, : len(some)] = np.array(some, dtype=np.float32).reshape(-1, 6)
    return found


def truth(*rows: list[tuple[float, ...]]) -> NDArray[np.float32]:
    return packed([np.array(some, dtype=np.float64).reshape(-1, 6) for some in rows])


def test_figure_of_an_image_is_the_f1_of_its_boxes() -> None:
    """Found, missed and wrong ones count; an image without any on either side is right."""
    given = answers([(0, 0, 10, 10, 0, 0.9), (20, 20, 30, 30, 1, 0.8)], [], [(0, 0, 9, 9, 0, 0.7)], [])
    true = truth([(0, 0, 10, 10, 0, OBJECT), (40, 40, 50, 50, 1, OBJECT)], [], [], [(0, 0, 9, 9, 0, OBJECT)])
    assert HEAD.figures(given, true, card()).tolist() == [0.5, 1.0, 0.0, 0.0]
    # Below its threshold a box is none.
    decoding = {"shifts": (0.0, 0.0), "thresholds": (0.95, 0.5), "images": 9}
    assert HEAD.figures(given, true, card(decoding=decoding)).tolist() == [0.0, 1.0, 1.0, 0.0]
    assert HEAD.floor(true) == 0.5


def test_a_captured_answer_has_the_same_figure() -> None:
    """As a label that tells its boxes, the surest first, beside the label that a person drew."""
    row = {"boxes": [], "label": ";", "width": 60, "height": 50}

    def agreement(boxes: list[tuple[str, float, tuple[int, ...]]], label: str) -> float:
        told = [
            {"label": name, "probability": sure, **dict(zip(EDGES, edges, strict=True))} for name, sure, edges in boxes
        ]
        return HEAD.agreement(as_label({**row, "boxes": told}), label)

    assert agreement([], "60x50") == 1.0
    assert agreement([("green", 0.9, (0, 0, 9, 9))], "60x50") == 0.0
    assert agreement([("green", 0.9, (0, 0, 10, 10)), ("red", 0.8, (20, 20, 30, 30))], "60x50;0 0 10 9 green") == (
        pytest.approx(2 / 3)
    )
    assert agreement([("red", 0.9, (0, 0, 10, 10))], "60x50;0 0 10 10 green") == 0.0
    # What is difficult need not be found, and the surest box takes the object.
    assert agreement([("green", 0.9, (0, 0, 10, 10))], "60x50;0 0 10 10 green;?20 20 30 30 red") == 1.0
    assert HEAD.agreement("60x50;0 0 10 10 green;0 0 9 10 green", "60x50;0 0 10 10 green") == pytest.approx(2 / 3)


def test_boxes_of_another_class_find_nothing() -> None:
    """At the same place too, and a class that the model does not know is missed."""
    given = answers([(0, 0, 10, 10, 0, 0.9)])
    assert f1(given, truth([(0, 0, 10, 10, 1, OBJECT)])).tolist() == [0.0]
    names, labels = HEAD.indexed(card(), np.array(["64x64;0 0 10 10 blue"]))
    assert names == ["green", "red", "blue"]
    assert HEAD.figures(given, labels, card()).tolist() == [0.0]


def test_scores_are_calibrated_without_changing_their_order() -> None:
    """Rows that are no box stay none, whatever the shift."""
    given = answers([(0, 0, 10, 10, 0, 0.9), (20, 20, 30, 30, 1, 0.3)])
    found = HEAD.probabilities(given, card(decoding={"shifts": (-1.0, -1.0), "thresholds": (0.5, 0.5), "images": 9}))
    assert found[0, 0, 5] > found[0, 1, 5] > 0.3
    assert not found[0, 2:, 5].any()
    assert calibrated(given, 1.0, (0.0, 0.0))[0, :2, 5].tolist() == pytest.approx([0.9, 0.3])


def test_answer_lies_in_pixels_of_the_image() -> None:
    """The square's own edges are gone, boxes are named, and the surest comes first."""
    pixels, squares = draw(1)
    data = png(pixels)
    place = placed(data, SIZE)
    inside = place.into(np.array([square[1:] for square in squares], dtype=float))
    numbers = [("green", "red").index(square.name) for square in squares]
    rows = [
        (*edges, number, 0.9 - 0.1 * order) for order, (edges, number) in enumerate(zip(inside, numbers, strict=True))
    ]
    (row,) = HEAD.probabilities(answers([*rows, (0, 0, 5, 5, 0, 0.2)]), card())
    answer = HEAD.answer(data, row, card(), None)
    assert answer.boxes is not None
    assert [box.label for box in answer.boxes] == [square.name for square in squares]
    for box, square in zip(answer.boxes, squares, strict=True):
        assert box[2:] == pytest.approx(square[1:], abs=0.02)
    assert answer.label == ";".join(sorted({square.name for square in squares}))
    assert len(answer.probabilities) == 2
    assert answer.sets["boxes"][0]["label"] == squares[0].name


def test_the_least_sure_decision_tells_how_sure_an_answer_is() -> None:
    """A box that is shown may be wrong, and one that is not shown may be right."""
    given = answers([(0, 0, 9, 9, 0, 0.9), (0, 0, 9, 9, 1, 0.4)], []).astype(np.float64)
    shown = given[..., 5] > 0.5
    assert sureness(given, shown).tolist() == pytest.approx([0.6, 1.0])


def test_answers_that_are_one_differ_by_rounding_alone() -> None:
    """Whatever their order; a box without another at its place counts by its score."""
    given = answers([(0, 0, 10, 10, 0, 0.9), (20, 20, 30, 30, 1, 0.8)])
    moved = answers([(20, 20, 30.001, 30, 1, 0.8001), (0, 0, 10, 10, 0, 0.9)])
    assert HEAD.off(given, moved) == pytest.approx(1e-4, abs=2e-5)
    assert HEAD.off(given, answers([(0, 0, 10, 10, 0, 0.9)])) == pytest.approx(0.78, abs=1e-3)
    assert HEAD.off(given[:0], moved[:0]) == 0


def test_claims_are_one_for_each_image_with_boxes() -> None:
    """Boxes of one image are no independent evidence: its least sure one is asked about."""
    given = answers([(0, 0, 10, 10, 0, 0.9), (20, 20, 30, 30, 1, 0.6)], [], [(0, 0, 9, 9, 0, 0.3)])
    ((pairs, right),) = HEAD.claims(given.astype(np.float64), truth([(0, 0, 10, 10, 0, OBJECT)], [], []))
    assert pairs[:, 1].tolist() == pytest.approx([0.6])
    assert right.tolist() == [0]
    ((pairs, right),) = HEAD.claims(answers([], []).astype(np.float64), truth([], []))
    assert (len(pairs), len(right)) == (0, 0)


def test_what_an_answer_costs_grows_with_what_is_missed_and_wrong() -> None:
    """Less for a sure box that is right than for a doubted one."""
    true = truth([(0, 0, 10, 10, 0, OBJECT)])
    sure, doubted, wrong, missed = (
        float(HEAD.log_losses(one.astype(np.float64), true)[0])
        for one in (
            answers([(0, 0, 10, 10, 0, 0.99)]),
            answers([(0, 0, 10, 10, 0, 0.6)]),
            answers([(0, 0, 10, 10, 0, 0.6), (30, 30, 40, 40, 0, 0.9)]),
            answers([]),
        )
    )
    assert sure < doubted < wrong
    assert missed > doubted


def test_picture_shows_what_was_found_and_what_was_missed() -> None:
    """A copy of the image with a line around each box."""
    pixels = np.zeros((SIZE, SIZE, 3), dtype=np.uint8)
    given = answers([(0, 0, 10, 10, 0, 0.9), (20, 20, 30, 30, 1, 0.8)]).astype(np.float64)
    shown = HEAD.pictured(pixels, given[0], truth([(0, 0, 10, 10, 0, OBJECT), (40, 40, 50, 50, 1, OBJECT)])[0], card())
    colours = {tuple(colour) for colour in shown.reshape(-1, 3).tolist()}
    assert len(colours) == 4
    assert not pixels.any()


def test_a_card_without_thresholds_is_refused() -> None:
    """It says of which classes there are none."""
    assert of(DETECT).name == DETECT
    with pytest.raises(ValueError, match="no shift and threshold for each of the 2 classes"):
        Boxed.read(card(decoding={"shifts": (0.0, 0.0), "thresholds": (0.5,), "images": 9}))


def test_what_is_gained_is_average_precision() -> None:
    """Boxes that lie more exactly gain, groups of images count as one each, and a model gains nothing over itself."""
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 30, (40, 1, 2))
    true = truth(*[[(*one, *(one + 20), 0, OBJECT)] for one in places[:, 0]])
    exact, rough = (
        answers(*[[(*(one + rng.normal(0, off, 2)), *(one + 20), 0, 0.9)] for one in places[:, 0]]) for off in (0.3, 4)
    )
    found = HEAD.gained(exact, true, rough, true, np.arange(40))
    assert found.difference > 0.2
    assert found.better < 0.001
    assert found.groups == 40
    assert HEAD.figures(exact, true, card()).mean() == pytest.approx(1)
    four = [np.concatenate([one] * 4) for one in (exact, true, rough)]
    apart, alike = (
        HEAD.gained(four[0], four[1], four[2], four[1], groups).error
        for groups in (np.arange(160), np.arange(160) % 40)
    )
    assert alike > 1.5 * apart > 0
    together = HEAD.gained(exact, true, rough, true, np.arange(40) // 10)
    assert together.groups == 4
    assert together.better >= 1 / 16
    assert HEAD.gained(exact, true, exact, true, np.arange(40)).better == 1


def test_presence_is_what_an_image_shows() -> None:
    """However many boxes of a class it has; an image without any shows none."""
    true = truth([(0, 0, 10, 10, 1, OBJECT), (5, 5, 9, 9, 1, OBJECT)], [], [(0, 0, 9, 9, 0, OBJECT)])
    assert HEAD.presence(true, 3).tolist() == [[0, 1, 0], [0, 0, 0], [1, 0, 0]]
