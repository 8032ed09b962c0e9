"""Boxes around objects: labels are those of `targets`, outputs raw answers of `fcos` in training, its answers else.

A network that has seen the targets hands back its costs in training instead, (C + 1,): of each class, and of the rest.

Answers (N, 100, 6) hold edges in pixels of the square, class and score. Their "probabilities" are the same answers with
scores that were calibrated: of so many boxes with a score of 0.8 eight in ten are right. torch is imported where it
computes, as for one class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.heads.answer import Answer, Seen
from sightline.heads.boxed import (
    LEAST,
    LIKELY,
    MOST,
    OVERLAP,
    Boxed,
    answered,
    apart,
    calibrated,
    f1,
    kept,
    log_losses,
    matched,
    objects,
    outcomes,
    sureness,
)
from sightline.heads.detect_pages import Pages
from sightline.heads.detect_training import Training
from sightline.heads.each import Each
from sightline.heads.gained import Gained
from sightline.heads.labels import DETECT, joined
from sightline.heads.located import read, rows_of, targets_of
from sightline.heads.matching import FIFTY, SCORE, means, precision, precisions, resampled
from sightline.heads.targets import CLASS, WIDTH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from sightline.heads.answer import Fitted
    from sightline.heads.protocol import Floats, Numbers

DRAWS, PAIRED = 100, 400
"""Of images, for an interval and for a comparison."""


class Detect(Training, Pages, Each):
    """Each image shows any number of objects, each somewhere."""

    name = DETECT
    score = "mAP 50"
    figure = "F1"
    titles = ("Mean average precision at an overlap of 0.5", "F1 of an image's boxes")
    is_exclusive = False
    is_located = True
    is_searched_by_score = True
    unused = frozenset({"label_smoothing", "crop", "rotate", "scale", "erase", "mixup", "cutmix"})
    graph = "boxes"
    client: Mapping[str, Any] = {"suppression": {"overlap": OVERLAP, "most": MOST}}

    def check(self, fitted: Fitted) -> None:
        """A shift and a threshold for each class."""
        Boxed.read(fitted)

    def probabilities(self, logits: Floats, fitted: Fitted) -> NDArray[np.float64]:
        """The answers with calibrated scores."""
        return calibrated(logits, fitted.temperature, Boxed.read(fitted).shifts)

    def activation(self, logits: Tensor, fitted: Fitted) -> Tensor:
        """The same."""
        import torch

        # One more for the class -1, which is none.
        shifts = torch.tensor([*Boxed.read(fitted).shifts, 0.0])
        number = logits[..., CLASS]
        shift = shifts[torch.where(number < 0, len(fitted.classes), number).long()]
        scores = torch.sigmoid((torch.logit(logits[..., SCORE], eps=LEAST) - shift) / fitted.temperature)
        scores = torch.where(number < 0, 0.0, scores)
        return torch.cat([logits[..., :SCORE], scores[..., None]], dim=-1)

    def settled(self, found: Floats) -> Floats:
        """The answers (N, 100, 6) among candidates (N, K, 6)."""
        import torch

        from sightline.heads import fcos

        kept: Floats = fcos.suppressed(torch.from_numpy(found)).numpy()
        return kept

    def decided(self, probabilities: Floats, fitted: Fitted) -> tuple[str, float]:
        """The classes of the boxes that reach their threshold, and how sure the least sure decision is."""
        shown = answered(probabilities, fitted)
        classes = {fitted.classes[int(number)] for number in probabilities[shown, CLASS]}
        return joined(classes), float(sureness(probabilities[None], shown[None])[0])

    def answer(self, data: bytes, row: Floats, fitted: Fitted, foreign: float | None) -> Answer:
        """The boxes in pixels of the image, the surest first."""
        from sightline.images.letterbox import placed

        label, sure = self.decided(row, fitted)
        shown = row[answered(row, fitted)]
        edges = placed(data, fitted.size).back(shown[:, :CLASS].astype(np.float64)).round(2)
        boxes = tuple(
            Seen(fitted.classes[int(one[CLASS])], float(one[SCORE]), *where)
            for one, where in zip(shown, edges.tolist(), strict=True)
        )
        best = self.evidence(row[None], len(fitted.classes))[0]
        unsure = None if fitted.abstain_below is None else sure < fitted.abstain_below
        is_foreign = None if foreign is None else foreign > 1
        return Answer(
            label=label,
            probability=sure,
            probabilities=tuple(best.tolist()),
            abstain=True if is_foreign else unsure if unsure is not None else is_foreign,
            likely=None,
            foreign=is_foreign,
            foreign_score=foreign,
            labels=tuple(dict.fromkeys(box.label for box in boxes)),
            boxes=boxes,
        )

    def none(self, classes: int) -> NDArray[np.float32]:  # noqa: ARG002 — the boxes name theirs
        """(0, 100, 6)."""
        return np.empty((0, MOST, WIDTH), dtype=np.float32)

    def off(self, answers: Floats, others: Floats) -> float:
        """The largest difference of a score, or of an edge as a share of the square, of boxes that are one.

        The score of a box that has no other at its place is a difference too: more than what any image lets pass.
        """
        return float(np.max([apart(*pair) for pair in zip(answers, others, strict=True)], initial=0.0))

    def rounding(self, own: Floats, right: Floats, fitted: Fitted) -> float:
        """As far as the calibrated boxes are: a score of the network is no logit, and an edge none at all."""
        return self.off(self.probabilities(own, fitted), self.probabilities(right, fitted))

    def evidence(self, outputs: Floats, classes: int) -> Floats:
        """The best score of each class (N, classes), 0 where it has no box."""
        mine = outputs[..., CLASS, None] == np.arange(classes)
        found: Floats = np.where(mine, outputs[..., SCORE, None], 0.0).max(axis=1)
        return found

    def graph_evidence(self, logits: Tensor, classes: int) -> Tensor:
        """The same."""
        import torch

        mine = logits[..., CLASS, None] == torch.arange(classes)
        return torch.where(mine, logits[..., SCORE, None], 0.0).amax(1)

    def indexed(self, fitted: Fitted, texts: NDArray[np.str_]) -> tuple[list[str], NDArray[np.float32]]:
        """Boxes (N, M, 6) in the square that the model takes."""
        known = {box.name for text in set(texts.tolist()) for box in read(text)[2]}
        names = list(fitted.classes) + sorted(known - set(fitted.classes))
        return names, targets_of(texts.tolist(), names, fitted.size)

    def widened(self, answers: Floats, classes: int, value: float) -> Floats:  # noqa: ARG002 — whatever they are
        """As they are: a class that a model does not know has no box."""
        return answers

    def presence(self, labels: Numbers, classes: int) -> NDArray[Any]:
        """Of any number of boxes."""
        numbers = np.asarray(labels)[..., CLASS, None]
        found: NDArray[np.uint8] = (numbers == np.arange(classes)).any(axis=1).astype(np.uint8)
        return found

    def figures(self, probabilities: Floats, labels: Numbers, fitted: Fitted) -> NDArray[np.float64]:
        """F1 of its boxes at an overlap of 0.5; 1 where none is there and none is answered."""
        return f1(kept(probabilities, answered(probabilities, fitted)), np.asarray(labels))

    def floor(self, labels: Numbers) -> float:
        """No box on any image."""
        return float((objects(np.asarray(labels)) == 0).mean())

    def claims(self, probabilities: Floats, labels: Numbers) -> list[tuple[Floats, NDArray[np.integer[Any]]]]:
        """Of each image whether the least sure box that is likelier right than not is right; none where it has none."""
        likely = kept(probabilities, probabilities[..., SCORE] >= LIKELY)
        scores, right, images = outcomes(matched(likely, np.asarray(labels), FIFTY))
        # In the order of the images, the least sure first.
        order = np.lexsort((scores, images))
        first = order[np.unique(images[order], return_index=True)[1]]
        sure = scores[first]
        return [(np.stack([1 - sure, sure], axis=-1), right[first].astype(np.int64))]

    def compared(self, logits: Floats, labels: Numbers) -> tuple[float, float, float]:
        """The mAP 50, and its bootstrap over images."""
        found = matched(logits, np.asarray(labels), FIFTY)
        drawn = means(precisions(found, resampled(np.arange(len(logits)), DRAWS)))
        low, high = np.quantile(drawn, (0.025, 0.975))
        return precision(found).mean50, float(low), float(high)

    def log_losses(self, probabilities: Floats, labels: Numbers) -> NDArray[np.float64]:
        """Of each box and each missed object, as a share of the objects."""
        return log_losses(probabilities, np.asarray(labels))

    def gained(self, own: Floats, labels: Numbers, other: Floats, other_labels: Numbers, groups: Numbers) -> Gained:
        """The mAP 50:95, by a paired bootstrap over groups: the figures look at one threshold and one overlap."""
        both = [matched(own, np.asarray(labels)), matched(other, np.asarray(other_labels))]
        weights = resampled(groups, PAIRED)
        drawn = [means(precisions(one, weights)) for one in both]
        count = len(np.unique(groups))
        # The spread of draws is too small by one group (Efron 1982).
        error = float(np.std(drawn[0] - drawn[1])) * (count / max(1, count - 1)) ** 0.5
        mine, theirs = (precision(one).mean for one in both)
        return Gained(what="AP", own=mine, other=theirs, error=error, groups=count)

    def said(self, figure: float) -> str:
        """The mean F1 of an image's boxes."""
        return f"mean F1 of the boxes {figure:.1%}"

    def told(self, figure: float, images: int) -> str:
        """Of so many images."""
        return f"mean F1 of the boxes {figure:.1%} of {images} images"

    def agreement(self, answer: str, truth: str) -> float:
        """F1 of its boxes, as `figures` has it: the answer tells them with the surest first."""
        mine, theirs = read(answer)[2], read(truth)[2]
        place = {name: number for number, name in enumerate(sorted({box.name for box in (*mine, *theirs)}))}
        answers = rows_of(mine, place)
        answers[:, SCORE] = np.arange(len(answers), 0, -1)
        return float(f1(answers[None], rows_of(theirs, place)[None])[0])

    def audited(self, wrong: float, labels: int, bound: float) -> str:
        """Their mean F1."""
        return f"{labels} labelled audit images have a mean F1 of {1 - wrong / labels:.1%}, {1 - bound:.1%} would do"
