"""Boxes around objects: labels are those of `targets`, outputs raw answers of `fcos` in training, its answers else.

Answers (N, 100, 6) hold edges in pixels of the square, class and score. Their "probabilities" are the same answers with
scores that were calibrated: of so many boxes with a score of 0.8 eight in ten are right. torch is imported where it
computes, as for one class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.errors import ModelError
from sightline.heads.answer import Answer, Seen
from sightline.heads.boxed import (
    LEAST,
    MISSED,
    Boxed,
    answered,
    apart,
    calibrated,
    f1,
    kept,
    matched,
    objects,
    outcomes,
    sureness,
)
from sightline.heads.gained import Gained
from sightline.heads.labels import DETECT, joined, names_of
from sightline.heads.located import read, targets_of, told
from sightline.heads.matching import FIFTY, MOST, SCORE, means, precision, precisions, resampled
from sightline.heads.shares import certainty, percent
from sightline.heads.targets import CLASS, WIDTH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from sightline.heads.answer import Fitted
    from sightline.heads.protocol import Floats, Numbers

HEAVIEST = 10.0
"""Largest weight of a class."""
LIKELY = 0.5
"""Boxes of this probability and more are a claim."""
DRAWS, PAIRED = 100, 400
"""Of images, for an interval and for a comparison."""
RIGHT, WRONG, MISSING = (22, 163, 74), (220, 38, 38), (250, 204, 21)
"""Colours of boxes that found an object, that did not, and of objects as they are."""


class Detect:
    """Each image shows any number of objects, each somewhere."""

    name = DETECT
    score = "mAP 50"
    figure = "F1"
    titles = ("Mean average precision at an overlap of 0.5", "F1 of an image's boxes")
    is_exclusive = False
    is_located = True

    def begin(self, network: nn.Module, labels: Tensor) -> None:
        """Nothing: a detector begins with next to no box, as most places have none."""

    def loss(self, logits: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:  # noqa: ARG002 — the focal loss has its own
        """Classes, boxes and centredness."""
        from sightline.heads import fcos

        return fcos.loss_of(logits, targets, weights)

    def counts(self, targets: Tensor, weights: Tensor | None) -> float | Tensor:  # noqa: ARG002 — they do not matter
        """Its objects, and each image as one more."""
        from sightline.heads import fcos

        return fcos.counts(targets)

    def class_weights(self, labels: Tensor, classes: int) -> Tensor:
        """The inverse of a class's share of the objects, on average 1 for an object."""
        import torch

        numbers = labels[..., CLASS].long().flatten()
        objects = torch.bincount(numbers[numbers >= 0], minlength=classes)
        there = int((objects > 0).sum())
        return (objects.sum() / (max(1, there) * objects.clamp(min=1))).clamp(1 / HEAVIEST, HEAVIEST).float()

    def chances(self, labels: Tensor, classes: int) -> Tensor:
        """By the rarest class that an image shows; one without objects as the commonest."""
        import torch

        weights = self.class_weights(labels, classes).double()
        numbers = labels[..., CLASS].long()
        shown = torch.where(numbers >= 0, weights[numbers.clamp(min=0)], weights.min())
        return shown.amax(1) if labels.shape[1] else torch.ones(len(labels), dtype=torch.float64)

    def shares(self, labels: Tensor, classes: int) -> Tensor:
        """1 where an image shows the class; boxes themselves cannot be blended."""
        import torch
        import torch.nn.functional as F  # noqa: N812

        numbers = labels[..., CLASS].long()
        each = F.one_hot(numbers.clamp(min=0), classes) * (numbers >= 0)[..., None]
        return each.amax(1).float() if labels.shape[1] else torch.zeros(len(labels), classes)

    def rated(self, logits: Tensor, labels: Tensor) -> tuple[float, float]:
        """What is missing of the mAP 50:95, and the mAP 50."""
        found = precision(matched(logits.numpy(), labels.numpy()))
        return 1 - found.mean, found.mean50

    def fitted_loss(self, logits: Tensor, labels: Tensor) -> float:
        """What is missing of the mAP 50:95: precision is read at every threshold."""
        return self.rated(logits, labels)[0]

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """As `log_losses`, of the scores as they are."""
        import torch

        return torch.from_numpy(self.log_losses(logits.numpy(), labels.numpy()))

    def hits(self, logits: Tensor, labels: Tensor) -> Tensor:
        """F1 of the boxes that are likelier right than not."""
        import torch

        answers = logits.numpy()
        return torch.from_numpy(f1(kept(answers, answers[..., SCORE] >= LIKELY), labels.numpy()))

    def strata(self, labels: Tensor) -> Tensor:
        """The class of most objects of an image; those without any are one more kind."""
        import torch

        numbers = labels[..., CLASS].long()
        classes = int(numbers.max()) + 1 if numbers.numel() else 0
        counts = torch.stack([(numbers == one).sum(1) for one in range(classes)], 1) if classes else None
        return (
            numbers.new_zeros(len(labels)) if counts is None else torch.where(counts.any(1), counts.argmax(1), classes)
        )

    def check(self, fitted: Fitted) -> None:
        """A shift and a threshold for each class."""
        Boxed.read(fitted)

    def probabilities(self, logits: Floats, fitted: Fitted) -> NDArray[np.float64]:
        """The answers with calibrated scores."""
        return calibrated(logits, fitted.temperature, Boxed.read(fitted).shifts)

    def activation(self, logits: Tensor, fitted: Fitted) -> Tensor:  # noqa: ARG002 — there is none
        """None: what suppresses boxes is no graph."""
        raise ModelError("a detector has no graph yet: torch serves it")

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
        return max((apart(*pair) for pair in zip(answers, others, strict=True)), default=0.0)

    def evidence(self, outputs: Floats, classes: int) -> Floats:
        """The best score of each class (N, classes), 0 where it has no box."""
        mine = outputs[..., CLASS, None] == np.arange(classes)
        found: Floats = np.where(mine, outputs[..., SCORE, None], 0.0).max(axis=1)
        return found

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
        """-ln p of each box, of its being wrong where it is, and of each missed object, as a share of the objects."""
        truth = np.asarray(labels)
        found = matched(probabilities, truth, FIFTY)
        scores, right, images = outcomes(found)
        costs = -np.log(np.clip(np.where(right, scores, 1 - scores), LEAST, 1.0))
        there = objects(truth)
        missed = there - np.bincount(images[right], minlength=len(truth))
        total = np.bincount(images, weights=costs, minlength=len(truth)) - np.log(MISSED) * missed
        losses: NDArray[np.float64] = total / max(1.0, float(there.mean()))
        return losses

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

    def confidence(self, probabilities: Floats) -> Floats:
        """Of the least sure class, by its best box (N, classes), were each taken at one half."""
        return np.asarray(np.maximum(probabilities, 1 - probabilities).min(axis=1))

    def lead(self, probabilities: Floats) -> Floats:
        """Of that decision over its contrary."""
        return np.asarray(2 * self.confidence(probabilities) - 1)

    def certainty(self, probabilities: Floats) -> Floats:
        """Of all classes, added up."""
        return certainty(np.concatenate([probabilities, 1 - probabilities], axis=1))

    def agreement(self, answer: str, truth: str) -> float:
        """F1 of the classes that are shown: the answer tells no places."""
        given, there = set(names_of(answer)), {box.name for box in read(truth)[2]}
        total = len(given) + len(there)
        return 2 * len(given & there) / total if total else 1.0

    def audited(self, wrong: float, labels: int, bound: float) -> str:
        """Their mean F1."""
        return f"{labels} labelled audit images have a mean F1 of {1 - wrong / labels:.1%}, {1 - bound:.1%} would do"

    def summary(self, probabilities: Floats, fitted: Fitted) -> str:
        """How many boxes of each class."""
        numbers = probabilities[answered(probabilities, fitted), CLASS].astype(int).tolist()
        return told(fitted.classes[number] for number in numbers)

    def pictured(
        self, pixels: NDArray[np.uint8], probabilities: Floats, labels: Numbers, fitted: Fitted
    ) -> NDArray[np.uint8]:
        """True boxes below, the answered ones above: what is right covers what is true."""
        from sightline.images.outlined import Outline, outlined

        mine, truth = kept(probabilities, answered(probabilities, fitted)), np.asarray(labels)
        boxes = [Outline(tuple(row[:CLASS]), MISSING) for row in truth[truth[:, CLASS] >= 0].tolist()]
        for number, found in enumerate(matched(mine[None], truth[None], FIFTY)):
            # In the order of `match`.
            rows = mine[mine[:, CLASS] == number]
            rows = rows[np.argsort(-rows[:, SCORE], kind="stable")]
            fine = found.right[0] | found.ignored[0]
            boxes += [
                Outline(tuple(row[:CLASS]), RIGHT if is_fine else WRONG)
                for row, is_fine in zip(rows.tolist(), fine.tolist(), strict=True)
            ]
        return outlined(pixels, boxes)

    def cards(self, found: Mapping[str, Any]) -> list[tuple[str, str, str]]:
        """Average precision, by size too, and what is decided at the thresholds."""
        sizes, boxes = found["map_by_size"], found["boxes"]
        known = [f"{name} {percent(value)}" for name, value in sizes.items() if value is not None]
        return [
            (percent(found["map50"]), "Test mAP 50", "average precision at an overlap of 0.5, mean of the classes"),
            (percent(found["map"]), "mAP 50:95", ", ".join(["mean over overlaps of 0.5 to 0.95", *known])),
            (percent(found["accuracy"]), "F1 of an image", "its boxes at the thresholds, mean over the test images"),
            (percent(found["averages"]["micro"]["precision"]), "Precision", "of all boxes that are answered"),
            (percent(found["averages"]["micro"]["recall"]), "Recall", "of all objects"),
            (f"{boxes['answered']:.2f}", "Boxes an image", f"{boxes['true']:.2f} are there"),
        ]

    def lines(self, found: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The same."""
        exact, share = (found["averages"]["micro"][name] for name in ("precision", "recall"))
        sizes = ", ".join(f"{name} {value:.3f}" for name, value in found["map_by_size"].items() if value is not None)
        return [
            ("mAP 50", f"{found['map50']:.3f}, 50:95 {found['map']:.3f}"),
            ("by size", sizes or "no object"),
            ("F1", f"{found['accuracy']:.3f} of an image, precision {exact:.3f}, recall {share:.3f}"),
        ]
