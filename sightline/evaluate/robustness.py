"""How many answers stay right when the test images are corrupted as in ImageNet-C (Hendrycks and Dietterich 2019)."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.evaluate.corruptions import CORRUPTIONS, SEVERITIES, corrupt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from sightline.evaluate.metrics import Figures, FloatArray, IntArray
    from sightline.models.predictor import Predictor

GATE = ("gaussian_noise", "defocus_blur", "brightness", "contrast", "jpeg_compression")
"""What the gate asks for: one of each kind that cameras and their settings cause."""
GATE_SEVERITY = 3
GATE_IMAGES = 500


def subset(digests: Sequence[str], most: int = GATE_IMAGES) -> IntArray:
    """Positions of at most `most` images of a release, in its order: always the same, chosen by hash of the SHA-256."""
    keys = [hashlib.sha256(digest.encode()).digest() for digest in digests]
    return np.sort(np.array(sorted(range(len(keys)), key=keys.__getitem__)[:most], dtype=np.int64))


def right(predictor: Predictor, pixels: NDArray[np.uint8], labels: NDArray[np.str_]) -> dict[str, Figures]:
    """Whether the answer is right for each image (N,) under each corruption of the gate, or its task's other figure.

    pixels: uint8 (N, S, S, 3) at the side of the predictor; labels: (N,) as the manifest has them. Pass the
    same images in the same order for two models that shall be compared.
    """
    cells = ((name, GATE_SEVERITY) for name in GATE)
    return {name: answers for (name, _), answers in _right(predictor, pixels, labels, cells)}


def grid(
    predictor: Predictor,
    pixels: NDArray[np.uint8],
    labels: NDArray[np.str_],
    step: Callable[[str], None] = lambda _name: None,
) -> dict[str, list[float]]:
    """Accuracy under each of the 15 corruptions at severities 1 … 5; arguments as for `right`.

    `step` is called after each of the 75 cells with the corruption's name.
    """
    found: dict[str, list[float]] = {name: [] for name in CORRUPTIONS}
    cells = ((name, severity) for name in CORRUPTIONS for severity in SEVERITIES)
    for (name, _), answers in _right(predictor, pixels, labels, cells):
        found[name].append(float(answers.mean()))
        step(name)
    return found


def figures(answers: Mapping[str, Figures], clean: Figures) -> dict[str, Any]:
    """What `right` found, as figures for JSON; `clean`: (N,) whether the same images are right as they are."""
    accuracies = {name: float(found.mean()) for name, found in answers.items()}
    return {
        "severity": GATE_SEVERITY,
        "images": len(clean),
        "clean": float(clean.mean()),
        "accuracy": accuracies,
        "mean": float(np.mean(list(accuracies.values()))),
    }


def mean_corruption_error(accuracies: Mapping[str, Sequence[float]]) -> float:
    """Mean error over severities and corruptions; unlike the paper's mCE not divided by the error of AlexNet."""
    return float(np.mean([1 - np.mean(row) for row in accuracies.values()]))


def _right(
    predictor: Predictor,
    pixels: NDArray[np.uint8],
    labels: NDArray[np.str_],
    cells: Iterable[tuple[str, int]],
) -> Iterable[tuple[tuple[str, int], Figures]]:
    for name, severity in cells:
        yield (name, severity), figures_of(predictor, predictor.logits(corrupt(pixels, name, severity)), labels)


def figures_of(predictor: Predictor, logits: FloatArray, labels: NDArray[np.str_]) -> Figures:
    """The figure of each image (N,) with these logits (N, C) and labels (N,)."""
    card, task = predictor.card, predictor.task
    names, truth = task.indexed(card, labels)
    return task.figures(task.widened(task.probabilities(logits, card), len(names), 0.0), truth, card)
