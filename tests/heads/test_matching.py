"""Average precision of boxes: equal to pycocotools', and what it does not have."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sightline.heads import matching
from sightline.heads.matching import OVERLAPS, SIZES, match, precision, precisions, thresholds
from sightline.heads.targets import CROWD, DIFFICULT, OBJECT

Boxes = list[NDArray[np.float64]]
CLASSES = 3


def drawn(seed: int, images: int = 25, *, crowds: float = 0.1, ties: bool = False) -> tuple[Boxes, Boxes]:
    """Random truth, and answers near to it or anywhere; some images have no truth, some no answers."""
    random = np.random.default_rng(seed)
    answers, truth = [], []
    for image in range(images):
        count = 0 if image % 5 == 0 else int(random.integers(1, 14))
        low = random.uniform(0, 300, (count, 2))
        sides = np.exp(random.uniform(np.log(6), np.log(220), (count, 2)))
        kinds = np.where(random.random(count) < crowds, CROWD, OBJECT)
        labels = random.integers(0, CLASSES - 1 if seed % 2 else CLASSES, count)
        truth.append(np.column_stack([low, low + sides, labels, kinds]))
        near = truth[-1][random.random(count) < 0.8, :4]
        near = np.concatenate([near, near[: len(near) // 2]]) + random.normal(0, 4, (len(near) + len(near) // 2, 4))
        far = random.uniform(0, 300, (0 if image % 7 == 0 else 6, 2))
        boxes = np.concatenate([near, np.concatenate([far, far + random.uniform(5, 120, far.shape)], axis=1)])
        boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 1)
        scores = random.integers(1, 5, len(boxes)) / 5 if ties else random.random(len(boxes))
        answers.append(np.column_stack([boxes, random.integers(0, CLASSES, len(boxes)), scores]))
    return answers, truth


def by_pycocotools(answers: Boxes, truth: Boxes) -> dict[str, tuple[float, float, list[float]]]:
    """Size → mAP 50:95, mAP 50, and 50:95 of each class."""
    said = COCO()
    annotations = [
        {
            "id": 1000 * image + number + 1,
            "image_id": image,
            "category_id": int(row[4]),
            "bbox": [row[0], row[1], row[2] - row[0], row[3] - row[1]],
            "area": (row[2] - row[0]) * (row[3] - row[1]),
            "iscrowd": int(row[5] == CROWD),
        }
        for image, rows in enumerate(truth)
        for number, row in enumerate(rows)
    ]
    images = [{"id": image} for image in range(len(truth))]
    categories = [{"id": number} for number in range(CLASSES)]
    said.dataset = {"images": images, "categories": categories, "annotations": annotations}
    given = [
        {
            "image_id": image,
            "category_id": int(row[4]),
            "bbox": [row[0], row[1], row[2] - row[0], row[3] - row[1]],
            "score": row[5],
        }
        for image, rows in enumerate(answers)
        for row in rows
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        said.createIndex()
        judge = COCOeval(said, said.loadRes(given), "bbox")
        judge.evaluate()
        judge.accumulate()
    found = {}
    for number, size in enumerate(judge.params.areaRngLbl):
        values = judge.eval["precision"][:, :, :, number, -1]
        values = np.where(values < 0, np.nan, values)
        known, known50 = values[np.isfinite(values)], values[0][np.isfinite(values[0])]
        each = [float(values[:, :, one].mean()) for one in range(CLASSES)]
        found[size] = (float(known.mean()) if len(known) else 0.0, float(known50.mean()) if len(known50) else 0.0, each)
    return found


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("ties", [False, True])
def test_equal_to_pycocotools(seed: int, *, ties: bool) -> None:
    """To 1e-6 on random boxes with crowds, images without truth or answers, equal scores, a class without objects."""
    answers, truth = drawn(seed, ties=ties, crowds=0.1 * seed)
    theirs = by_pycocotools(answers, truth)
    for size in SIZES:
        ours = precision(match(answers, truth, CLASSES, size))
        assert ours.mean == pytest.approx(theirs[size][0], abs=1e-6)
        assert ours.mean50 == pytest.approx(theirs[size][1], abs=1e-6)
        assert ours.by_class == pytest.approx(theirs[size][2], abs=1e-6, nan_ok=True)


def test_no_more_than_a_hundred_answers_of_a_class() -> None:
    """What comes after the hundred surest of an image is not looked at, as there."""
    answers, truth = drawn(2, 4)
    answers[1] = np.concatenate([np.array([[500, 500, 510, 510, 0, 2.0]] * 100), answers[1]])
    ours = precision(match(answers, truth, CLASSES))
    assert ours.mean == pytest.approx(by_pycocotools(answers, truth)["all"][0], abs=1e-6)
    assert ours.mean < precision(match(drawn(2, 4)[0], truth, CLASSES)).mean


def test_which_of_several_boxes_an_answer_takes() -> None:
    """Of two that it overlaps alike the later one; an object before a crowd that it overlaps more: as there."""
    alike = np.array([[0.0, 0, 10, 10, 0, OBJECT], [4, 0, 14, 10, 0, OBJECT]])
    between = np.array([[2.0, 0, 12, 10, 0, 0.9], [-1, 0, 9, 10, 0, 0.8]])
    crowd = np.array([[0.0, 0, 10, 10, 0, OBJECT], [-50, -50, 60, 60, 0, CROWD]])
    inside = np.array([[2.0, 0, 12, 10, 0, 0.9], [20, 20, 30, 30, 0, 0.95]])
    for answers, truth in ((between, alike), (inside, crowd)):
        ours = precision(match([answers], [truth], CLASSES))
        assert ours.mean50 == pytest.approx(by_pycocotools([answers], [truth])["all"][1], abs=1e-6)
        assert ours.mean50 == pytest.approx(1)


def test_nothing_to_find_and_nothing_found() -> None:
    """Images without objects give no precision; objects without answers give 0."""
    nothing = [np.zeros((0, 6))] * 2
    one = [np.array([[0.0, 0, 10, 10, 0, OBJECT]]), np.zeros((0, 6))]
    assert np.isnan(precision(match(nothing, nothing, 1)).each).all()
    assert precision(match(nothing, nothing, 1)).mean == 0
    assert precision(match(nothing, one, 1)).mean == 0
    assert precision(match([np.array([[0.0, 0, 10, 10, 0, 0.9]]), np.zeros((0, 6))], one, 1)).mean == pytest.approx(1)


def test_difficult_objects_count_for_nothing() -> None:
    """Whoever finds one is neither right nor wrong, whoever finds it again is wrong: VOC's rule."""
    truth = [np.array([[0.0, 0, 10, 10, 0, OBJECT], [50, 50, 60, 60, 0, DIFFICULT]])]
    surely = [50.0, 50, 60, 60, 0, 0.9]
    found = [0.0, 0, 10, 10, 0, 0.5]
    assert precision(match([np.array([surely, found])], truth, 1)).mean == pytest.approx(1)
    assert precision(match([np.array([surely, surely, found])], truth, 1)).mean == pytest.approx(0.5)


def test_images_that_count_several_times() -> None:
    """Weights are as good as copies of the images: a bootstrap need not match again."""
    answers, truth = drawn(3)
    random = np.random.default_rng(0)
    matched = match(answers, truth, CLASSES)
    for _ in range(3):
        rows = random.integers(0, len(truth), len(truth))
        copies = match([answers[row] for row in rows], [truth[row] for row in rows], CLASSES)
        weighed = precision(matched, np.bincount(rows, minlength=len(truth)))
        assert weighed.each == pytest.approx(precision(copies).each, abs=1e-12, nan_ok=True)


def test_thresholds_make_the_best_f1() -> None:
    """Of every threshold that could be chosen none makes a higher F1 of its class at an overlap of 0.5."""
    answers, truth = drawn(4, 40)
    matched = match(answers, truth, CLASSES)
    for number, (one, chosen) in enumerate(zip(matched, thresholds(matched), strict=True)):

        def f1(limit: float, number: int = number) -> float:
            kept = [rows[(rows[:, 5] >= limit) & (rows[:, 4] == number)] for rows in answers]
            again = match(kept, truth, CLASSES)[number]
            right, counted = again.right[0].sum(), (~again.ignored[0]).sum()
            return float(2 * right / (counted + again.objects.sum()))

        assert f1(chosen) == pytest.approx(max(f1(limit) for limit in np.unique(one.scores)))
    nothing = match([np.zeros((0, 6))], [np.array([[0.0, 0, 10, 10, 0, OBJECT]])], 1)
    assert thresholds(nothing) == (1.0,)
    assert len(OVERLAPS) == 10


def test_thresholds_of_few_answers() -> None:
    """By hand: what is missed counts, and answers of one score come in together."""
    places = np.arange(4)[:, None] * 100 + np.array([[0.0, 0, 10, 10]])
    truth = np.column_stack([places, np.zeros(4), np.full(4, OBJECT)])
    right, wrong = places, places + 50

    def threshold(count: int, *rows: tuple[NDArray[np.float64], float]) -> float:
        answers = np.array([[*box, 0, score] for box, score in rows])
        return thresholds(match([answers], [truth[:count]], 1))[0]

    mixed = [(right[0], 0.9), (wrong[0], 0.8), (right[1], 0.7), (wrong[1], 0.6), (wrong[2], 0.5), (right[2], 0.4)]
    assert threshold(4, *mixed) == pytest.approx(0.2)
    assert threshold(1, *mixed) == pytest.approx(0.85)
    ties = [(right[0], 0.9), (wrong[0], 0.9), (wrong[1], 0.9), (right[1], 0.5)]
    assert threshold(2, *ties) == pytest.approx(0.25)


def test_many_answers_are_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes out does not depend on how many there are at a time."""
    answers, truth = drawn(5)
    weights = np.random.default_rng(0).integers(0, 3, (7, len(truth)))
    whole = match(answers, truth, CLASSES)
    monkeypatch.setattr(matching, "ANSWERS", 5)
    monkeypatch.setattr(matching, "AT_ONCE", 100)
    for one, other in zip(match(answers, truth, CLASSES), whole, strict=True):
        assert all(np.array_equal(mine, theirs) for mine, theirs in zip(one, other, strict=True))
    each = precisions(whole, weights)
    assert each.shape == (7, 10, CLASSES)
    assert np.array_equal(each[3], precision(whole, weights[3]).each, equal_nan=True)
