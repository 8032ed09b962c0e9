"""Several labels for each image: what the calib images say of a network, and every figure about the test images."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.evaluate import calibration
from sightline.evaluate.abstention import least_sure, most_shown
from sightline.evaluate.confidence import DRAWS, Confidence, thinned
from sightline.evaluate.counts import averaged, rates
from sightline.heads import decisions
from sightline.heads.decisions import MISSED, Decisions
from sightline.heads.ranking import average_precisions, mean_average_precision

if TYPE_CHECKING:
    from sightline.evaluate.confidence import Wanted
    from sightline.evaluate.metrics import BoolArray, FloatArray, IntArray


def fit(logits: FloatArray, labels: IntArray, wanted: Wanted, classes: int) -> Confidence:  # noqa: ARG001
    """Temperature, shifts and thresholds of logits and labels (N, C); N may be 0.

    An answer is right, for abstention, where it has every label of the image and no other.
    """
    temperature, found = decisions.fit(logits, labels, wanted.precision)
    abstain_below = None
    if len(logits):
        probabilities, answered = _decided(logits, temperature, found)
        exact = _exact(answered, labels)
        abstain_below = least_sure(decisions.sureness(probabilities, answered), exact, wanted.accuracy)
    return Confidence(
        temperature=temperature,
        wanted_accuracy=wanted.accuracy,
        abstain_below=abstain_below,
        conformal=None,
        decoding=decisions.as_values(found),
    )


def measured(
    fitted: Confidence,
    classes: list[str],
    logits: FloatArray,
    labels: IntArray,
    scales: FloatArray,  # noqa: ARG001 — nothing has a size
) -> dict[str, Any]:
    """Every figure that follows from the logits and labels (N, C) of the test images; N ≥ 1.

    The calibration figures are about decisions, one for each class of each image. A class without images has support 0
    and scores 0, and enters neither mAP nor the macro average.
    """
    found = _widened(fitted, len(classes))
    probabilities, answered = _decided(logits, fitted.temperature, found)
    exact, there = _exact(answered, labels), labels.astype(bool)
    present = np.asarray(there.any(axis=0))
    precisions = average_precisions(probabilities, labels)
    counts = {name: both.sum(axis=0) for name, both in _outcomes(answered, there).items()}
    rows = [rates(*(int(counts[name][number]) for name in counts)) for number in range(len(classes))]
    per_class: dict[str, dict[str, float | int | None]] = {
        name: {**row, "ap": _number(precisions[number]), "threshold": found.thresholds[number]}
        for number, (name, row) in enumerate(zip(classes, rows, strict=True))
    }
    images = decisions.f1(answered, labels)
    return {
        "classes": classes,
        "task": "multilabel",
        "accuracy": float(images.mean()),
        "map": mean_average_precision(probabilities, labels),
        "subset_accuracy": float(exact.mean()),
        "hamming_loss": float((answered != there).mean()),
        "wanted_precision": (fitted.decoding or {}).get("operating", {}).get("wanted_precision"),
        "labels": {"true": float(there.sum(axis=1).mean()), "answered": float(answered.sum(axis=1).mean())},
        "per_class": per_class,
        "averages": {
            "micro": rates(*(int(one.sum()) for one in counts.values())),
            "macro": averaged([row for row, is_there in zip(rows, present, strict=True) if is_there], len(there)),
            "images": _by_image(answered, there),
        },
        **_told(fitted, found, logits, labels, probabilities, answered),
    }


def _told(
    fitted: Confidence,
    found: Decisions,
    logits: FloatArray,
    labels: IntArray,
    probabilities: FloatArray,
    answered: BoolArray,
) -> dict[str, Any]:
    """Calibration before and after, risk and coverage, abstention and sets, under the names that `confidence` has."""
    truth = labels.astype(np.int64).ravel()
    before, after = (np.stack([1 - one, one], axis=-1).reshape(-1, 2) for one in (_plain(logits), probabilities))
    true = after[np.arange(len(truth)), truth]
    sure, exact = decisions.sureness(probabilities, answered), _exact(answered, labels)
    curve = calibration.curve(sure, exact)
    return {
        "temperature": fitted.temperature,
        "log_loss": float(-np.log(np.maximum(true, np.finfo(np.float64).eps)).reshape(labels.shape).sum(1).mean()),
        "brier": float(np.square(1 - true).reshape(labels.shape).sum(axis=1).mean()),
        "ece_before": calibration.ece(before, truth),
        "ece_after": calibration.ece(after, truth),
        "ece_null": calibration.ece_null(after, DRAWS, np.random.default_rng(0)),
        "reliability_before": [asdict(row) for row in calibration.reliability(before, truth)],
        "reliability": [asdict(row) for row in calibration.reliability(after, truth)],
        "risk_coverage": thinned(curve),
        "abstention": _abstention(fitted, found, sure, exact),
        "conformal": _sets(found, probabilities, answered, labels),
    }


def _abstention(fitted: Confidence, found: Decisions, sure: FloatArray, exact: BoolArray) -> dict[str, Any]:
    figures: dict[str, Any] = {"wanted_accuracy": fitted.wanted_accuracy, "threshold": fitted.abstain_below}
    figures["most_shown"] = most_shown(found.images) if found.images else None
    if fitted.abstain_below is None:
        return {**figures, "coverage": None, "accuracy": None}
    kept = sure >= fitted.abstain_below
    return {**figures, "coverage": float(kept.mean()), "accuracy": float(exact[kept].mean()) if kept.any() else None}


def _sets(found: Decisions, probabilities: FloatArray, answered: BoolArray, labels: IntArray) -> dict[str, Any] | None:
    """Share of the labels that the sets of likely classes hold, on average over images, and their size."""
    if found.likely_from is None:
        return None
    sets, there = (probabilities >= found.likely_from) | answered, labels.astype(bool)
    held = np.where(there.any(axis=1), (sets & there).sum(axis=1) / np.maximum(there.sum(axis=1), 1), 1.0)
    return {
        "threshold": found.likely_from,
        "images": found.images,
        "wanted": 1 - MISSED,
        "coverage": float(held.mean()),
        "mean_size": float(sets.sum(axis=1).mean()),
    }


def _widened(fitted: Confidence, classes: int) -> Decisions:
    """With classes that the model does not know: never answered."""
    # At which thresholds networks are compared is no figure about answers.
    values = {name: value for name, value in (fitted.decoding or {}).items() if name != "operating"}
    more = classes - len(values["shifts"])
    shifts, limits = [*values["shifts"], *[0.0] * more], [*values["thresholds"], *[decisions.NEVER] * more]
    return Decisions.read({**values, "shifts": shifts, "thresholds": limits}, classes)


def _decided(logits: FloatArray, temperature: float, found: Decisions) -> tuple[FloatArray, BoolArray]:
    probabilities = decisions.sigmoid((logits.astype(np.float64) - np.array(found.shifts)) / temperature)
    return probabilities, decisions.chosen(probabilities, np.array(found.thresholds))


def _plain(logits: FloatArray) -> FloatArray:
    return decisions.sigmoid(logits)


def _exact(answered: BoolArray, labels: IntArray) -> BoolArray:
    found: BoolArray = (answered == labels.astype(bool)).all(axis=1)
    return found


def _outcomes(answered: BoolArray, there: BoolArray) -> dict[str, BoolArray]:
    """(N, C) right answers, all answers, all labels."""
    return {"both": answered & there, "answered": answered, "there": there}


def _by_image(answered: BoolArray, there: BoolArray) -> dict[str, float | int]:
    """Means over images; 1 where none is there and none is answered."""
    both = (answered & there).sum(axis=1)
    nothing = ~answered.any(axis=1) & ~there.any(axis=1)
    parts = {"precision": answered.sum(axis=1), "recall": there.sum(axis=1)}
    found = {key: float(np.where(nothing, 1.0, both / np.maximum(part, 1)).mean()) for key, part in parts.items()}
    return {**found, "f1": float(decisions.f1(answered, there).mean()), "support": len(there)}


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
