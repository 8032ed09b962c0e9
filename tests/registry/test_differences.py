"""What a person sees of candidate and champion, whatever an answer is made of."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import torch
from boxed import draw, write
from bundles import CLASSES, SIZE, photo

from sightline.heads.labels import DETECT, MULTILABEL, joined
from sightline.heads.located import Box, text_of
from sightline.heads.targets import OBJECT
from sightline.images.reading import png
from sightline.models.bundle import Card
from sightline.models.predictor import Predictor
from sightline.models.zoo import build
from sightline.registry.candidate import Candidate
from sightline.registry.differences import differences
from sightline.registry.rules import Scored

if TYPE_CHECKING:
    from pathlib import Path


def between(candidate: Predictor, champion: Predictor, files: list[bytes], labels: list[str]) -> Candidate:
    """The candidate as it stands once both have answered."""
    found = {}
    for version, one in {"2": candidate, "1": champion}.items():
        head, texts = one.task, np.array(labels)
        known, numbers = head.indexed(one.card, texts)
        wider = head.widened(one.probabilities(files), len(known), 0.0)
        figures = head.figures(wider, numbers, one.card)
        found[version] = Scored(version=version, labels=numbers, probabilities=wider, head=head, figures=figures)
    made = Candidate.__new__(Candidate)
    made._predictors = {"2": candidate, "1": champion}
    rows = pd.DataFrame({"path": [f"{number}.png" for number in range(len(files))]})
    vars(made).update(answers=found["2"], rival=found["1"], labels=np.array(labels), rows=rows)
    return made


def check(candidate: Candidate) -> None:
    """Every image on which the figures differ is there once, on the side of the better one."""
    found = differences(candidate)
    assert candidate.rival is not None
    gain = np.asarray(candidate.answers.right, dtype=float) - candidate.rival.right
    sides = {one.path: one.gained for one in found}
    assert sides == {f"{row}.png": bool(gain[row] > 0) for row in np.flatnonzero(gain)}
    assert len(sides) == len(found) > 3
    assert [one.gained for one in found] == sorted((one.gained for one in found), reverse=True)
    assert all(0 <= one.candidate_probability <= 1 and 0 <= one.champion_probability <= 1 for one in found)


def test_detectors_answers_are_told_by_their_boxes(tmp_path: Path) -> None:
    """How many boxes of each class, in the image and in the answers; the largest differences first."""
    champion = Predictor.load(write(tmp_path))
    candidate = Predictor(replace(champion.card, decoding=dict(champion.card.decoding)), champion.model)  # type: ignore[arg-type]
    least = champion.card.decoding["thresholds"][0]  # type: ignore[index]
    candidate.card = replace(champion.card, decoding={**champion.card.decoding, "thresholds": (0.8 * least, 1.0)})  # type: ignore[dict-item]
    files, labels = [], []
    for seed in range(40):
        pixels, squares = draw(seed)
        files.append(png(pixels))
        boxes = [Box(one.name, one[1:], OBJECT) for one in squares]
        labels.append(text_of(pixels.shape[1], pixels.shape[0], boxes))
    # The untrained network finds next to nothing: half of the images show what it answers.
    for place, answer in enumerate(champion.predict(files[:20])):
        height, width = draw(place)[0].shape[:2]
        seen = [Box(box.label, (box.x1, box.y1, box.x2, box.y2), OBJECT) for box in answer.boxes or ()]
        labels[place] = text_of(width, height, seen)
    asked = between(candidate, champion, files, labels)
    assert asked.answers.head.name == DETECT
    check(asked)
    (first, *_) = (one for one in differences(asked) if not one.gained)
    assert "x" not in first.label.partition(" ")[0]
    assert first.champion != first.candidate
    row = int(first.path.partition(".")[0])
    assert asked.rival is not None
    assert first.champion == champion.task.summary(asked.rival.probabilities[row], champion.card)


def test_sets_of_labels_are_told_over_the_versions_own_classes() -> None:
    """A class of the release that no version knows takes nothing from what it answers."""
    torch.manual_seed(0)
    decoding = {"shifts": (0.0, 0.0, 0.0), "thresholds": (0.5, 0.5, 0.5), "likely_from": 0.1, "images": 9}
    card = Card("cnn", SIZE, CLASSES, 1.0, "", 0.9, task=MULTILABEL, decoding=decoding)
    two = [Predictor(card, build("cnn", len(CLASSES), SIZE).eval()) for _ in range(2)]
    files = [png(photo(seed)) for seed in range(30)]
    labels = [joined([CLASSES[seed % 3], *["violet"] * (seed % 2)]) for seed in range(30)]
    for one in two:
        rows = one.probabilities(files)
        one.card = replace(card, decoding={**decoding, "thresholds": tuple(np.median(rows, axis=0).tolist())})
    check(between(two[0], two[1], files, labels))


@pytest.mark.parametrize("wider", [False, True])
def test_classes_are_told_with_the_surest_mistake_first(wider: bool) -> None:  # noqa: FBT001
    """As before there were others."""
    torch.manual_seed(0)
    card = Card("cnn", SIZE, CLASSES, 1.0, "", 0.9)
    two = [Predictor(card, build("cnn", len(CLASSES), SIZE).eval()) for _ in range(2)]
    files = [png(photo(seed)) for seed in range(60)]
    labels = [answer.label for answer in two[0].predict(files[:30])] + [
        answer.label for answer in two[1].predict(files[30:])
    ]
    labels[-1] = "violet" if wider else labels[-1]
    asked = between(two[0], two[1], files, labels)
    check(asked)
    gained = [one.champion_probability for one in differences(asked) if one.gained]
    assert gained == sorted(gained, reverse=True)
