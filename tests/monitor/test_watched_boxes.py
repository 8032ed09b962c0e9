"""Answers with boxes under watch: what shifts is seen by how many there are, how sure and how large."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from sightline.evaluate.reference import Reference
from sightline.heads.amounts import amount_names, amounts
from sightline.heads.answer import Seen
from sightline.heads.labels import DETECT
from sightline.monitor.bet import Bet
from sightline.monitor.cause import explain
from sightline.monitor.outcome import Outcome
from sightline.monitor.scores import Scores
from sightline.monitor.shift import BOXES, STATISTICS
from sightline.monitor.window import Images, Window
from sightline.report.monitor import causes
from sightline.serve.record import SCHEMA

if TYPE_CHECKING:
    from numpy.typing import NDArray

CLASSES = ("cell", "plate")


def images(count: int, rng: np.random.Generator, *, cells: float = 6.0, side: float = 20.0) -> Reference:
    """Images of which the pixels tell nothing of the boxes: only how many cells there are and how large differs."""
    sides = np.full((count, 2), 200)
    boxes = []
    for _ in range(count):
        each = np.repeat(CLASSES, (rng.poisson(cells), rng.poisson(1.0))).tolist()
        edge = side * rng.uniform(0.8, 1.25, len(each))
        boxes.append([Seen(name, rng.uniform(0.5, 1), 0, 0, one, one) for name, one in zip(each, edge, strict=True)])
    best = [
        [max((box.probability for box in some if box.label == name), default=0) for name in CLASSES] for some in boxes
    ]
    labels = np.array([[any(box.label == name for box in some) for name in CLASSES] for some in boxes], dtype=np.uint8)
    return Reference(
        bundle="bundle",
        release="release",
        classes=CLASSES,
        labels=labels,
        groups=np.arange(count),
        probabilities=np.array(best, dtype=np.float32),
        features=rng.normal(size=(count, 4)).astype(np.float32),
        statistics=rng.normal(size=(count, 7)).astype(np.float32),
        energy=rng.normal(size=count).astype(np.float32),
        foreign=rng.random(count).astype(np.float32),
        directions=np.eye(4, dtype=np.float32),
        task=DETECT,
        scored=rng.random(count),
        boxes=amounts(boxes, sides, CLASSES),
    )


def window_of(made: Reference, scores: Scores) -> Window:
    count = len(made.groups)
    words = {name: np.full(count, "") for name in ("request", "file", "answer", "site", "camera")}
    numbers: dict[str, Any] = {name: np.zeros(count, dtype=np.int64) for name in ("at", "place")}
    values = scores.of_images(made)
    return Window(**words, **numbers, probabilities=made.probabilities, scores=values, wealth=np.ones(count))


def wealth(scores: Scores, made: Reference, rng: np.random.Generator) -> NDArray[np.float64]:
    bins = scores.bins(scores.of_images(made), rng.random(len(made.groups)))
    return np.asarray(Bet.new(scores.gaps).enter(bins[:, None, :])[:, 0])


@pytest.mark.parametrize(("change", "names"), [({"cells": 9.0}, "boxes"), ({"side": 26.0}, "median side of boxes")])
def test_more_or_larger_boxes_raise_the_alarm(change: dict[str, float], names: str) -> None:
    """Though neither pixels nor features tell of them; the cause names them, and calm traffic raises none."""
    rng = np.random.default_rng(0)
    reference = images(600, rng)
    scores = Scores.of(reference)
    assert set(amount_names(CLASSES)) == {
        name for name, group in zip(scores.names, scores.groups, strict=True) if group == BOXES
    }
    assert wealth(scores, images(400, rng), rng).max() < 100
    shifted = images(400, rng, **change)
    assert wealth(scores, shifted, rng).max() > 100
    found = explain(reference, scores, window_of(shifted, scores))
    assert names in {one.name for one in found.boxes[:3]}
    assert found.kind == "covariate"
    assert found.groups[BOXES] < 0.001 < found.groups[STATISTICS]
    assert any(said.startswith("boxes that moved: ") for said in causes(found))
    told = replace(Outcome(at="2026-01-01T00:00:00+00:00", version="1", digest="", reference="r"), cause=found)
    assert Outcome.from_json(told.as_json()) == told


@pytest.mark.slow
def test_calm_boxes_are_called_calm() -> None:
    """Plain tests of twenty windows, each corrected for all numbers: one is wrong now and then."""
    rng = np.random.default_rng(1)
    kinds = []
    for _ in range(20):
        reference = images(500, rng)
        scores = Scores.of(reference)
        kinds.append(explain(reference, scores, window_of(images(300, rng), scores)).kind)
    assert kinds.count(None) >= 18


def test_captured_boxes_become_the_same_numbers() -> None:
    """Those of the reference; rows from before there were boxes have none, and a look refuses them."""
    told: list[dict[str, Any]] = [{"label": "cell", "probability": 0.5, "x1": 0.0, "y1": 0.0, "x2": 20.0, "y2": 20.0}]
    rows = {name: [None, None] for name in SCHEMA.names} | {
        "boxes": [told, []],
        "width": [200, 200],
        "height": [200, 200],
        "energy": [0.0, 0.0],
        "foreign_score": [0.0, 0.0],
    }
    rows |= {name: [[0.0], [0.0]] for name in ("probabilities", "features", "statistics")}
    table = pa.table(rows, schema=pa.schema([pa.field(one.name, one.type) for one in SCHEMA]))
    wanted = amounts([[Seen(**told[0])], []], np.full((2, 2), 200), CLASSES)
    assert np.array_equal(Images.of(table, CLASSES).boxes, wanted)
    without = table.set_column(
        table.schema.get_field_index("boxes"), SCHEMA.field("boxes"), pa.nulls(2, SCHEMA.field("boxes").type)
    )
    assert Images.of(without, CLASSES).boxes.shape == (2, 0)


def test_reference_keeps_the_numbers() -> None:
    """One from before there were boxes has none."""
    made = images(30, np.random.default_rng(2))
    assert np.array_equal(Reference.decode(made.encode()).boxes, made.boxes)
    told = {name: value for name, value in vars(made).items() if name != "boxes"}
    assert Reference.decode(Reference(**told).encode()).boxes.shape[1] == 0
