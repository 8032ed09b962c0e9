"""One class for each image: softmax, cross-entropy, accuracy.

torch is imported where it computes: whoever only tells of a task, or of its answers, does not wait for it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.heads.answer import Answer
from sightline.heads.conformal import answered_sets
from sightline.heads.labels import CLASSIFY
from sightline.heads.rows import Rows
from sightline.heads.shares import certainty, percent, wilson
from sightline.heads.temperature import fit_temperature, softmax

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from sightline.heads.answer import Fitted
    from sightline.heads.conformal import Conformal
    from sightline.heads.protocol import Floats, Numbers


class Classify(Rows):
    """Labels are class numbers (N,); of probabilities (N, classes) the rows sum to 1."""

    name = CLASSIFY
    score = "accuracy"
    figure = "accuracy"
    titles = ("Accuracy", "Accuracy")
    is_exclusive = True
    is_located = False

    def begin(self, network: nn.Module, labels: Tensor) -> None:
        """Nothing: it is as good as any."""

    def loss(self, logits: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
        """Cross-entropy with classes (N,) or shares of them (N, classes)."""
        import torch.nn.functional as F  # noqa: N812

        return F.cross_entropy(logits, targets, weight=weights, label_smoothing=smoothing)

    def counts(self, targets: Tensor, weights: Tensor | None) -> float | Tensor:
        """Its images, or their class weights."""
        import torch.nn.functional as F  # noqa: N812

        if weights is None or targets.ndim > 1:
            return float(len(targets))
        return F.embedding(targets, weights[:, None]).sum()

    def class_weights(self, labels: Tensor, classes: int) -> Tensor:
        """The inverse of a class's share of the images, scaled so that an image weighs 1 on average."""
        import torch

        counts = torch.bincount(labels, minlength=classes)
        there = int((counts > 0).sum())
        return (len(labels) / (there * counts.clamp(min=1))).float()

    def chances(self, labels: Tensor, classes: int) -> Tensor:
        """Each class equally often."""
        return self.class_weights(labels, classes).double()[labels]

    def shares(self, labels: Tensor, classes: int) -> Tensor:
        """1 for the class."""
        import torch.nn.functional as F  # noqa: N812

        return F.one_hot(labels, classes).float()

    def rated(self, logits: Tensor, labels: Tensor) -> tuple[float, float]:
        """Mean cross-entropy, and accuracy."""
        import torch.nn.functional as F  # noqa: N812

        return float(F.cross_entropy(logits, labels)), float((logits.argmax(1) == labels).float().mean())

    def fitted_loss(self, logits: Tensor, labels: Tensor) -> float:
        """At the temperature that fits best."""
        return self.rated(logits / fit_temperature(logits.numpy(), labels.numpy()), labels)[0]

    def losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy."""
        import torch.nn.functional as F  # noqa: N812

        return F.cross_entropy(logits, labels, reduction="none")

    def hits(self, logits: Tensor, labels: Tensor) -> Tensor:
        """1 where the likeliest class is the true one."""
        return (logits.argmax(1) == labels).double()

    def strata(self, labels: Tensor) -> Tensor:
        """The class."""
        return labels

    def check(self, fitted: Fitted) -> None:
        """It needs nothing more."""

    def probabilities(self, logits: Floats, fitted: Fitted) -> NDArray[np.float64]:
        """Softmax of the logits over the temperature."""
        return softmax(logits, fitted.temperature)

    def activation(self, logits: Tensor, fitted: Fitted) -> Tensor:
        """The same."""
        import torch

        return torch.softmax(logits / fitted.temperature, dim=1)

    def decided(self, probabilities: Floats, fitted: Fitted) -> tuple[str, float]:
        """The likeliest class."""
        best = int(probabilities.argmax())
        return fitted.classes[best], float(probabilities[best])

    def answer(self, data: bytes, row: Floats, fitted: Fitted, foreign: float | None) -> Answer:
        """The likeliest class, and the set of those that it may be."""
        label, sure = self.decided(row, fitted)
        unsure = None if fitted.abstain_below is None else sure < fitted.abstain_below
        is_foreign = None if foreign is None else foreign > 1
        return Answer(
            label=label,
            probability=sure,
            probabilities=tuple(row.tolist()),
            abstain=True if is_foreign else unsure if unsure is not None else is_foreign,
            likely=None if fitted.conformal is None else _likely(fitted.classes, fitted.conformal, data, row),
            foreign=is_foreign,
            foreign_score=foreign,
        )

    def indexed(self, fitted: Fitted, texts: NDArray[np.str_]) -> tuple[list[str], NDArray[np.int64]]:
        """Labels (N,)."""
        names = list(fitted.classes) + sorted(set(texts.tolist()) - set(fitted.classes))
        place = {name: number for number, name in enumerate(names)}
        return names, np.array([place[label] for label in texts.tolist()], dtype=np.int64)

    def figures(self, probabilities: Floats, labels: Numbers, fitted: Fitted) -> NDArray[np.bool_]:  # noqa: ARG002
        """Whether it is right."""
        right: NDArray[np.bool_] = probabilities.argmax(axis=1) == labels
        return right

    def floor(self, labels: Numbers) -> float:
        """Always the most frequent class."""
        return float(np.unique(labels, return_counts=True)[1].max() / len(labels))

    def claims(self, probabilities: Floats, labels: Any) -> list[tuple[Floats, NDArray[np.integer[Any]]]]:
        """Which class it is."""
        return [(probabilities, labels)]

    def compared(self, logits: Floats, labels: Numbers) -> tuple[float, float, float]:
        """Accuracy with Wilson's interval."""
        right = int((logits.argmax(axis=1) == labels).sum())
        return right / len(labels), *wilson(right, len(labels))

    def log_losses(self, probabilities: Floats, labels: Any) -> NDArray[np.float64]:
        """As `log_losses`."""
        return log_losses(labels, probabilities)

    def said(self, figure: float) -> str:
        """How often it is right."""
        return f"right in {figure:.1%}"

    def told(self, figure: float, images: int) -> str:
        """How many are right."""
        return f"{figure:.1%} of {images} images right"

    def confidence(self, probabilities: Floats) -> Floats:
        """Of the likeliest class."""
        return np.asarray(probabilities.max(axis=1))

    def lead(self, probabilities: Floats) -> Floats:
        """Of the likeliest class over the next one."""
        if probabilities.shape[1] == 1:
            return probabilities[:, 0]
        two = np.partition(probabilities, -2, axis=1)[:, -2:]
        return np.asarray(two[:, 1] - two[:, 0])

    def certainty(self, probabilities: Floats) -> Floats:
        """Of the classes."""
        return certainty(probabilities)

    def agreement(self, answer: str, truth: str) -> bool:
        """Whether it is right."""
        return answer == truth

    def audited(self, wrong: float, labels: int, bound: float) -> str:
        """How many are wrong."""
        return f"{wrong:g} of {labels} labelled audit images are wrong, {bound:.1%} of all would be allowed"

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
        """Accuracy in its three ways, and the scores that probabilities earn."""
        matrix = np.array(found["confusion"])
        rows = [
            (percent(found["accuracy"]), "Test accuracy", f"{matrix.trace():,} of {matrix.sum():,} images right"),
            (percent(found["balanced_accuracy"]), "Balanced accuracy", "mean recall of the classes"),
        ]
        if found["top5"] is not None:
            rows.append((percent(found["top5"]), "Top-5 accuracy", "right class among the first five"))
        return [
            *rows,
            (percent(found["averages"]["macro"]["f1"]), "Macro F1", ""),
            (f"{found['log_loss']:.3f}", "Log loss", "nats, 0 is perfect"),
            (f"{found['brier']:.3f}", "Brier score", "0 is perfect"),
        ]

    def lines(self, found: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Accuracy and F1."""
        top5 = "" if found["top5"] is None else f", among the first five {found['top5']:.3f}"
        return [
            ("accuracy", f"{found['accuracy']:.3f}, balanced {found['balanced_accuracy']:.3f}{top5}"),
            ("macro F1", f"{found['averages']['macro']['f1']:.3f}"),
        ]


def log_losses(labels: NDArray[np.integer[Any]], probabilities: Floats) -> NDArray[np.float64]:
    """-ln p(true class) of each answer (N,), nats; p is held above 2e-16, so that one image costs at most 36."""
    truth = np.take_along_axis(probabilities, labels[:, None], axis=1)[:, 0].astype(np.float64)
    losses: NDArray[np.float64] = -np.log(np.maximum(truth, np.finfo(np.float64).eps))
    return losses


def _likely(classes: tuple[str, ...], conformal: Conformal, data: bytes, row: Floats) -> tuple[str, ...]:
    """The randomised set with the answer added to it: right in at least the share that was asked for."""
    # The image's own bytes draw, so that the same file always gets the same set.
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(data).digest()[:8]))
    (members,) = answered_sets(conformal, row[None], rng)
    order = np.argsort(-row, kind="stable")
    return tuple(classes[place] for place in order.tolist() if members[place])
