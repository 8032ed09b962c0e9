"""Likely errors among boxes: objects that nobody drew, and drawn boxes that a detector's answers contradict.

The kinds are those of ObjectLab (Tkachenko, Thyagarajan and Mueller 2023: overlooked, badly located and swapped boxes),
and boxes around nothing beside them. An answer that contradicts what was drawn is an error of the one or of the other.
What the detector is surest of, it has right: how often even that is contradicted is how often labels are wrong. Of
answers with a calibrated score p the share 1 - p is contradicted, so that a label is to blame with the chance
rate / (1 - p).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from sightline.data.quality.finding import Finding, WrongBox, singles
from sightline.heads.located import read, rows_of
from sightline.heads.matching import SCORE
from sightline.heads.targets import CLASS, CROWD, KIND, OBJECT
from sightline.images.boxes import iou
from sightline.images.placement import Placement
from sightline.words import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from sightline.images.boxes import Floats

MISSING, CLASSED, PLACED, NOTHING = "missing", "class", "place", "nothing"
"""Kinds: nobody drew the object; it is of another class; it lies elsewhere; there is none."""
WORDS = {
    MISSING: "without a box",
    CLASSED: "of another class",
    PLACED: "badly placed",
    NOTHING: "around nothing",
}
SAME, NEAR, APART = 0.5, 0.1, 0.3
"""Overlap from which on two boxes are one, from which on they are near, and below which both have room."""
LEAST = 0.3
"""Chance that a label is wrong from which on somebody should look: see `benchmarks/quality_boxes.py`."""
SURE = 0.5
"""Score from which on an answer contradicts."""
SUREST = 100
"""Answers at least by which the rate of wrong labels is told, where there are as many."""
UNSEEN, OFTEN = 0.03, 0.1
"""Score below which nothing was found; share of a class from which on the detector just does not see its objects."""


class _Doubt(NamedTuple):
    """What may be wrong: rows of what was drawn and of what was found, or None."""

    kind: str
    drawn: int | None
    found: int | None
    sure: float
    """Score of what was found."""
    share: float
    """Of that score which nothing that was found speaks against."""


def find_box_errors(
    rows: pd.DataFrame, answers: NDArray[np.floating[Any]], classes: Sequence[str], size: int
) -> Finding | None:
    """Look for likely errors among the boxes of the manifest's `rows` (N), labelled all of them.

    `answers` (N, 100, 6) of a detector of these `classes`, with calibrated scores, in squares of `size` pixels. Crowds,
    difficult objects and other classes are not judged.
    """
    place = {name: number for number, name in enumerate(classes)}
    images = [_seen(text, row, place, len(classes), size) for text, row in zip(rows["label"], answers, strict=True)]
    each = [[*one.doubts()] for one in images]
    rates = _rates(images, each)
    overlooked = _overlooked(images, len(classes))
    names = list(place)
    found = [
        _told(str(path), doubt, chance, one, names)
        for path, one, some in zip(rows["path"], images, each, strict=True)
        for doubt, chance in (
            *((doubt, rates.chance(doubt)) for doubt in some),
            *((doubt, doubt.share) for doubt in one.empty(overlooked)),
        )
        if chance >= LEAST
    ]
    return finding(found, sum(len(one.drawn) for one in images), len(rows))


class _Seen:
    """What was drawn on an image beside what was found, each (K, 6), in the same pixels; `judged` are rows drawn."""

    def __init__(self, drawn: Floats, found: Floats, judged: NDArray[np.intp]) -> None:
        self.drawn, self.found, self.judged = drawn, found, judged
        self.overlap = iou(found[:, :CLASS], drawn[:, :CLASS], drawn[:, KIND] == CROWD)
        scores = found[:, SCORE, None]
        is_own = found[:, CLASS, None] == drawn[:, CLASS]
        self.own, self.other = (np.where((self.overlap >= SAME) & one, scores, 0.0) for one in (is_own, ~is_own))
        free = self.overlap.max(axis=1, initial=0.0) < SAME
        self.aside = np.where(free[:, None] & is_own & (self.overlap >= NEAR), scores, 0.0)
        """Scores of found boxes that lie on no drawn one, but near one of their class."""
        self.near = np.where(self.overlap >= NEAR, scores, 0.0).max(axis=0, initial=0.0)

    def agreed(self) -> Floats:
        """Scores of found boxes that lie on one of their class, of each the surest."""
        found: Floats = self.own[:, self.judged].max(axis=0, initial=0.0)
        sure: Floats = found[found >= np.maximum(SURE, self.other[:, self.judged].max(axis=0, initial=0.0))]
        return sure

    def doubts(self) -> Iterator[_Doubt]:
        """What contradicts the drawn boxes, and what lies beside all of them."""
        taken = []
        for row in self.judged.tolist():
            own, other, aside = (float(one[:, row].max(initial=0.0)) for one in (self.own, self.other, self.aside))
            if other >= max(SURE, own):
                yield _Doubt(CLASSED, row, int(self.other[:, row].argmax()), other, 1 - own / other)
            elif aside >= max(SURE, own):
                taken.append(int(self.aside[:, row].argmax()))
                yield _Doubt(PLACED, row, taken[-1], aside, 1 - max(own, other) / aside)
        alone = (self.overlap.max(axis=1, initial=0.0) < APART) & (self.found[:, SCORE] >= SURE)
        # Of several answers about one object the surest.
        for row in np.argsort(-self.found[:, SCORE], kind="stable").tolist():
            others = iou(self.found[row : row + 1, :CLASS], self.found[taken, :CLASS])
            if alone[row] and others.max(initial=0.0) < APART:
                taken.append(row)
                yield _Doubt(MISSING, None, row, float(self.found[row, SCORE]), 1.0)

    def empty(self, overlooked: NDArray[np.bool_]) -> Iterator[_Doubt]:
        """Drawn boxes near which nothing was found, but for those of classes that are `overlooked`."""
        for row in self.judged.tolist():
            if self.near[row] < UNSEEN and not overlooked[int(self.drawn[row, CLASS])]:
                yield _Doubt(NOTHING, row, None, 0.0, 1 - float(self.near[row]))


def _seen(text: str, row: NDArray[np.floating[Any]], place: dict[str, int], classes: int, size: int) -> _Seen:
    """The label `text` of an image beside the answers (100, 6); `place` numbers the classes, and gets further ones."""
    width, height, boxes = read(text)
    for box in boxes:
        place.setdefault(box.name, len(place))
    drawn = rows_of(boxes, place)
    found = row[row[:, CLASS] >= 0].astype(np.float64)
    found[:, :CLASS] = Placement(width=width, height=height, size=size).back(found[:, :CLASS])
    return _Seen(drawn, found, np.flatnonzero((drawn[:, KIND] == OBJECT) & (drawn[:, CLASS] < classes)))


class _Rates(NamedTuple):
    """How often labels are wrong, so that an answer contradicts them."""

    alone: float
    """Objects that nobody drew."""
    on: float
    """Drawn boxes of another class or place."""

    def chance(self, one: _Doubt) -> float:
        """That the label is to blame for what an answer contradicts."""
        # Beside all drawn boxes a detector errs far more often than on them: its errors count there alone.
        mine, others = (self.alone, self.on) if one.kind == MISSING else (self.alone + self.on, 0.0)
        return mine / max(mine, 1 - one.sure - others) * one.share


def _rates(images: Sequence[_Seen], each: Sequence[Sequence[_Doubt]]) -> _Rates:
    """The least shares of the surest answers, SUREST or more of them, that contradict what was drawn.

    One more of either kind, as Laplace has it: of few answers nobody knows.
    """
    agreed = np.concatenate([np.zeros(0), *(one.agreed() for one in images)])
    against = np.array([(one.sure, one.share, one.kind == MISSING) for some in each for one in some]).reshape(-1, 3)
    order = np.argsort(-np.concatenate([agreed, against[:, 0]]), kind="stable")
    many, least = np.arange(len(order)) + 3, min(SUREST, len(order))

    def rate(wrong: NDArray[np.float64]) -> float:
        shares = (np.concatenate([np.zeros(len(agreed)), wrong])[order].cumsum() + 1) / many
        return float(shares[least - 1 :].min(initial=1.0))

    return _Rates(rate(against[:, 1] * against[:, 2]), rate(against[:, 1] * (1 - against[:, 2])))


def _overlooked(images: Sequence[_Seen], classes: int) -> NDArray[np.bool_]:
    """(classes,) of which the detector finds nothing at too many objects."""
    numbers = np.concatenate([np.zeros(0), *(one.drawn[one.judged, CLASS] for one in images)]).astype(np.int64)
    near = np.concatenate([np.zeros(0), *(one.near[one.judged] for one in images)])
    unseen = np.bincount(numbers[near < UNSEEN], minlength=classes)
    found: NDArray[np.bool_] = unseen > np.maximum(OFTEN * np.bincount(numbers, minlength=classes), 1)
    return found


def _told(path: str, one: _Doubt, chance: float, image: _Seen, names: Sequence[str]) -> WrongBox:
    drawn, found = (
        None if row is None else boxes[row] for boxes, row in ((image.drawn, one.drawn), (image.found, one.found))
    )
    return WrongBox(
        path=path,
        kind=one.kind,
        given=None if drawn is None else names[int(drawn[CLASS])],
        likely=None if found is None else names[int(found[CLASS])],
        drawn=None if drawn is None else tuple(drawn[:CLASS].round(2).tolist()),
        found=None if found is None else tuple(found[:CLASS].round(2).tolist()),
        doubt=round(chance, 4),
    )


def finding(found: Sequence[WrongBox], drawn: int, images: int) -> Finding | None:
    """Tell the errors `found` among so many `drawn` boxes of so many images; the most doubtful image first."""
    if not found:
        return None
    ordered = sorted(found, key=lambda one: -one.doubt)
    paths = list(dict.fromkeys(one.path for one in ordered))
    kinds = pd.Series([one.kind for one in ordered]).value_counts()
    swapped = pd.Series([f"{one.given} → {one.likely}" for one in ordered if one.kind == CLASSED]).value_counts()
    listed = ", ".join(f"{pair} ({number})" for pair, number in swapped.head(5).items())
    parts = [f"{kinds[kind]:,} {said}" for kind, said in WORDS.items() if kind in kinds]
    sentence = (
        f"{counted(len(ordered), 'likely error')} among {counted(drawn, 'box')}, on {len(paths):,} of "
        f"{counted(images, 'image')}: {', '.join(parts)}{f'; given → likely: {listed}' if listed else ''}. Look at "
        "them, the most doubtful first: the detector errs, too."
    )
    return Finding("boxes", "Likely errors among boxes", sentence, len(paths), singles(paths), tuple(ordered))
