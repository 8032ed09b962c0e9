"""Any number of classes for each image: sigmoids, binary cross-entropy, mean average precision.

torch is imported where it computes, as for one class.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.heads import decisions
from sightline.heads.answer import Answer
from sightline.heads.decisions import Decisions
from sightline.heads.each import Each, alike
from sightline.heads.labels import MULTILABEL, joined, members_of, names_of
from sightline.heads.ranking import interval, mean_average_precision
from sightline.heads.rows import Rows
from sightline.heads.shares import percent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from sightline.heads.answer import Fitted
    from sightline.heads.protocol import Floats, Numbers

HEAVIEST = 20.0
"""Largest weight of the images of a class: a class of one image would else outweigh all others."""
COMMON = 10
"""Images of a class from which on folds can share them out."""


class Multilabel(Rows, Each):
    """Labels are (N, classes), 1 where an image shows the class; each class has a probability of its own."""

    name = MULTILABEL
    score = "mAP"
    figure = "F1"
    titles = ("Mean average precision", "F1 of an image's labels")
    is_exclusive = False
    is_located = False

    def begin(self, network: nn.Module, labels: Tensor) -> None:
        """Let it say at first what share of the images shows a class: else the first steps learn nothing but that."""
        import torch

        share = (labels.sum(0) + 0.5) / (len(labels) + 1)
        with torch.no_grad():
            network.get_parameter("head.bias").copy_(torch.logit(share))

    def loss(self, logits: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
        """Binary cross-entropy, summed over the classes: at each logit as steep as the cross-entropy of one class."""
        import torch.nn.functional as F  # noqa: N812

        wanted = targets.to(logits.dtype)
        if smoothing:
            wanted = wanted * (1 - smoothing) + smoothing / logits.shape[1]
        return F.binary_cross_entropy_with_logits(logits, wanted, pos_weight=weights, reduction="sum") / len(targets)

    def counts(self, targets: Tensor, weights: Tensor | None) -> float | Tensor:  # noqa: ARG002 — they do not matter
        """Its images."""
        return float(len(targets))

    def class_weights(self, labels: Tensor, classes: int) -> Tensor:  # noqa: ARG002 — the labels tell
        """How many images do not show a class for each that does: the weight of those that do."""
        there = labels.sum(0).double()
        return ((len(labels) - there) / there.clamp(min=1)).clamp(1 / HEAVIEST, HEAVIEST).float()

    def chances(self, labels: Tensor, classes: int) -> Tensor:  # noqa: ARG002 — as above
        """By the rarest class that an image shows."""
        import torch

        there = labels.sum(0).double().clamp(min=1)
        rarest = (labels.double() / there).amax(1)
        return torch.where(rarest > 0, rarest, rarest[rarest > 0].min() if (rarest > 0).any() else 1.0)

    def shares(self, labels: Tensor, classes: int) -> Tensor:  # noqa: ARG002 — as above
        """As they are."""
        return labels.float()

    def rated(self, logits: Tensor, labels: Tensor) -> tuple[float, float]:
        """Mean binary cross-entropy, summed over the classes, and mean average precision."""
        return float(self.losses(logits, labels).mean()), mean_average_precision(logits.numpy(), labels.numpy())

    def fitted_loss(self, logits: Tensor, labels: Tensor) -> float:
        """At the temperature and the shifts that fit best."""
        import torch

        temperature, shifts = decisions.calibrate(logits.numpy(), labels.numpy())
        return self.rated((logits - torch.from_numpy(shifts)) / temperature, labels)[0]

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Binary cross-entropy, summed over the classes."""
        import torch.nn.functional as F  # noqa: N812

        return F.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="none").sum(1)

    def hits(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Share of the classes that are rightly called there or not."""
        return ((logits > 0) == labels.bool()).double().mean(1)

    def strata(self, labels: Tensor) -> Tensor:
        """The rarest class that an image shows, of those that enough images show; else the most frequent one."""
        import torch

        there = labels.sum(0)
        rarity = labels.double() / there.clamp(min=1) * (there >= COMMON)
        return torch.where(rarity.any(1), rarity.argmax(1), there.argmax())

    def check(self, fitted: Fitted) -> None:
        """Shifts and thresholds for its classes."""
        _read(fitted)

    def probabilities(self, logits: Floats, fitted: Fitted) -> NDArray[np.float64]:
        """Sigmoids of the shifted logits over the temperature."""
        shifts = np.array(_read(fitted).shifts)
        return decisions.sigmoid((logits.astype(np.float64) - shifts) / fitted.temperature)

    def activation(self, logits: Tensor, fitted: Fitted) -> Tensor:
        """The same."""
        import torch

        return torch.sigmoid((logits - torch.tensor(_read(fitted).shifts)) / fitted.temperature)

    def decided(self, probabilities: Floats, fitted: Fitted) -> tuple[str, float]:
        """The classes whose probability reaches their threshold."""
        answered = decisions.chosen(probabilities[None], np.array(_read(fitted).thresholds))
        label = joined(name for name, there in zip(fitted.classes, answered[0], strict=True) if there)
        return label, float(decisions.sureness(probabilities[None], answered)[0])

    def answer(self, data: bytes, row: Floats, fitted: Fitted, foreign: float | None) -> Answer:  # noqa: ARG002
        """The classes, the most probable first, and those that may be there besides."""
        label, sure = self.decided(row, fitted)
        inside, least = set(names_of(label)), _read(fitted).likely_from
        ordered = [fitted.classes[place] for place in np.argsort(-row, kind="stable").tolist()]
        held = None
        if least is not None:
            probable = dict(zip(fitted.classes, row.tolist(), strict=True))
            held = tuple(name for name in ordered if probable[name] >= least or name in inside)
        unsure = None if fitted.abstain_below is None else sure < fitted.abstain_below
        is_foreign = None if foreign is None else foreign > 1
        return Answer(
            label=label,
            probability=sure,
            probabilities=tuple(row.tolist()),
            abstain=True if is_foreign else unsure if unsure is not None else is_foreign,
            likely=held,
            foreign=is_foreign,
            foreign_score=foreign,
            labels=tuple(name for name in ordered if name in inside),
        )

    def indexed(self, fitted: Fitted, texts: NDArray[np.str_]) -> tuple[list[str], NDArray[np.uint8]]:
        """Labels (N, classes)."""
        known = {name for text in set(texts.tolist()) for name in names_of(text)}
        names = list(fitted.classes) + sorted(known - set(fitted.classes))
        return names, members_of(texts.tolist(), names)

    def figures(self, probabilities: Floats, labels: Numbers, fitted: Fitted) -> NDArray[np.float64]:
        """F1 of its labels; a class that the model does not know is missed."""
        limits = np.full(probabilities.shape[1], decisions.NEVER)
        limits[: len(fitted.classes)] = _read(fitted).thresholds
        return decisions.f1(decisions.chosen(probabilities, limits), labels)

    def floor(self, labels: Numbers) -> float:
        """The most frequent classes, as many of them as do best."""
        there = np.asarray(labels).astype(bool)
        order = np.argsort(-there.sum(axis=0), kind="stable")
        best = 0.0
        for count in range(len(order) + 1):
            always = np.zeros(len(order), dtype=bool)
            always[order[:count]] = True
            best = max(best, float(decisions.f1(np.broadcast_to(always, there.shape), there).mean()))
        return best

    def claims(self, probabilities: Floats, labels: Numbers) -> list[tuple[Floats, NDArray[np.integer[Any]]]]:
        """Of each class whether it is there."""
        there = np.asarray(labels).astype(np.int64)
        pairs = np.stack([1 - probabilities, probabilities], axis=-1)
        return [(pairs[:, number], there[:, number]) for number in range(there.shape[1])]

    def compared(self, logits: Floats, labels: Numbers) -> tuple[float, float, float]:
        """Mean average precision, and its bootstrap over images."""
        return mean_average_precision(logits, labels), *interval(logits, labels)

    def log_losses(self, probabilities: Floats, labels: Numbers) -> NDArray[np.float64]:
        """-ln p of each decision, added up, as a share of the labels that an image has on average."""
        there = np.asarray(labels).astype(bool)
        true = np.maximum(np.where(there, probabilities, 1 - probabilities), np.finfo(np.float64).eps)
        losses: NDArray[np.float64] = -np.log(true).sum(axis=1) / max(1.0, float(there.sum(axis=1).mean()))
        return losses

    def said(self, figure: float) -> str:
        """The mean F1 of an image's labels."""
        return f"mean F1 {figure:.1%}"

    def told(self, figure: float, images: int) -> str:
        """Of so many images."""
        return f"mean F1 {figure:.1%} of {images} images"

    def agreement(self, answer: str, truth: str) -> float:
        """F1 of the labels."""
        return alike(set(names_of(answer)), set(names_of(truth)))

    def audited(self, wrong: float, labels: int, bound: float) -> str:
        """Their mean F1."""
        seen = f"{labels} labelled audit images have a mean F1 of {1 - wrong / labels:.1%}"
        return f"{seen}, {1 - bound:.1%} would be enough"

    def summary(self, probabilities: Floats, fitted: Fitted) -> str:
        """Its label."""
        return self.decided(probabilities, fitted)[0]

    def pictured(
        self,
        pixels: NDArray[np.uint8],
        probabilities: Floats,  # noqa: ARG002 — they lie nowhere
        labels: Numbers,  # noqa: ARG002
        fitted: Fitted,  # noqa: ARG002
    ) -> NDArray[np.uint8]:
        """As it is."""
        return pixels

    def cards(self, found: Mapping[str, Any]) -> list[tuple[str, str, str]]:
        """What is ranked, what is decided, and the scores that probabilities earn."""
        labels, averages = found["labels"], found["averages"]
        exact = (percent(averages["micro"]["precision"]), "Precision", f"of all answers{decisions.aimed(found)}")
        return [
            (percent(found["map"]), "Test mAP", "mean average precision of the classes"),
            (percent(found["accuracy"]), "F1 of an image", "mean over the test images"),
            (percent(averages["micro"]["f1"]), "Micro F1", "over all decisions"),
            (percent(averages["macro"]["f1"]), "Macro F1", "mean of the classes"),
            *([exact] if decisions.aimed(found) else []),
            (percent(found["subset_accuracy"]), "Exact sets", "every label, and no other"),
            (f"{labels['answered']:.2f}", "Labels an image", f"{labels['true']:.2f} are there"),
            (f"{found['log_loss']:.3f}", "Log loss", "nats of all decisions on an image"),
        ]

    def lines(self, found: Mapping[str, Any]) -> list[tuple[str, str]]:
        """The same."""
        micro, macro = (found["averages"][name]["f1"] for name in ("micro", "macro"))
        return [
            ("mAP", f"{found['map']:.3f}"),
            (
                "F1",
                f"{found['accuracy']:.3f} of an image, micro {micro:.3f}, macro {macro:.3f}",
            ),
            ("precision", f"{found['averages']['micro']['precision']:.3f} of all answers{decisions.aimed(found)}"),
            ("exact sets", f"{found['subset_accuracy']:.3f}"),
        ]


def _read(fitted: Fitted) -> Decisions:
    return Decisions.read(fitted.decoding or {}, len(fitted.classes))
