"""Boxes around objects: what the calib images say of a detector, and every figure about the test images."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sightline.evaluate import calibration
from sightline.evaluate.abstention import least_sure, most_shown
from sightline.evaluate.confidence import DRAWS, Confidence, thinned
from sightline.evaluate.counts import averaged, rates
from sightline.heads import decisions
from sightline.heads.boxed import Boxed, calibrated, f1, kept, objects, odds, outcomes, sureness
from sightline.heads.decisions import Operating
from sightline.heads.matching import FIFTY, SCORE, SIZES, curve, match, precision, thresholds
from sightline.heads.targets import CLASS

if TYPE_CHECKING:
    from sightline.evaluate.confidence import Wanted
    from sightline.evaluate.metrics import BoolArray, FloatArray, IntArray
    from sightline.heads.matching import Matched

HARDLY = 0.1
"""Boxes of a lower calibrated score are left out of the figures on calibration: nearly all are, and are wrong."""
FEWEST = 8
"""Objects of a class among the calibration images below which its threshold is that of all classes together."""


def fit(logits: FloatArray, labels: IntArray, wanted: Wanted, classes: int) -> Confidence:
    """Calibration of the scores, and thresholds, from answers (N, 100, 6) and boxes (N, M, 6); N may be 0.

    An answer is right, for abstention, where it finds every object of the image and shows no other box.
    """
    boxes = Boxed(shifts=(0.0,) * classes, thresholds=(0.5,) * classes, images=len(logits))
    temperature, abstain_below = 1.0, None
    if len(logits):
        found = match(list(logits), list(labels), classes, overlaps=FIFTY)
        scores, right, _ = outcomes(found)
        shifts = boxes.shifts
        if right.any():
            temperature, shared = decisions.calibrate(odds(scores)[:, None], right[:, None])
            shifts = tuple(_shift(one, temperature, float(shared[0])) for one in found)

        def limits(precision: float | None) -> tuple[float, ...]:
            raw = odds(np.array(_thresholds(found, precision)))
            return tuple(decisions.sigmoid((raw - np.array(shifts)) / temperature).tolist())

        boxes = Boxed(shifts=shifts, thresholds=limits(wanted.precision), images=len(logits))
        if wanted.precision is not None:
            boxes = replace(boxes, operating=Operating(wanted_precision=wanted.precision, best=limits(None)))
        answers, shown = _decided(logits, temperature, boxes)
        abstain_below = least_sure(sureness(answers, shown), _exact(answers, shown, labels), wanted.accuracy)
    return Confidence(
        temperature=temperature,
        wanted_accuracy=wanted.accuracy,
        abstain_below=abstain_below,
        conformal=None,
        decoding=decisions.as_values(boxes),
    )


def measured(
    fitted: Confidence, classes: list[str], logits: FloatArray, labels: IntArray, scales: FloatArray
) -> dict[str, Any]:
    """Every figure that follows from answers (N, 100, 6) and boxes (N, M, 6) of the test images; N ≥ 1.

    `scales`: pixels (N,) of the images for one of the square, by which objects are small, medium or large as COCO has
    it. The calibration figures are about boxes: of those with a score of 0.8 eight in ten shall be right. A class
    without objects has support 0 and scores 0, and enters no average.
    """
    values = fitted.decoding or {}
    limits = [*values["thresholds"], *[decisions.NEVER] * (len(classes) - len(values["thresholds"]))]
    shifts = [*values["shifts"], *[0.0] * (len(classes) - len(values["shifts"]))]
    boxes = Boxed(shifts=tuple(shifts), thresholds=tuple(limits), images=values["images"])
    answers, shown = _decided(logits, fitted.temperature, boxes)
    everything = match(list(logits), list(labels), len(classes))
    found = precision(everything)
    chosen = match(list(kept(answers, shown)), list(labels), len(classes), overlaps=FIFTY)
    rows = [rates(*_counts(one)) for one in chosen]
    per_class: dict[str, dict[str, Any]] = {
        name: {
            **row,
            "ap50": _number(found.each[0, number]),
            "ap": _number(found.by_class[number]),
            "threshold": boxes.thresholds[number],
            "curve": curve(everything[number]),
        }
        for number, (name, row) in enumerate(zip(classes, rows, strict=True))
    }
    totals = np.array([_counts(one) for one in chosen]).sum(axis=0)
    there = objects(labels)
    by_image = f1(kept(answers, shown), labels)
    return {
        "classes": classes,
        "task": "detect",
        "accuracy": float(by_image.mean()),
        "map50": found.mean50,
        "map": found.mean,
        "map_by_size": _by_size(logits, labels, len(classes), scales),
        "boxes": {"true": float(there.mean()), "answered": float(shown.sum(axis=1).mean())},
        "wanted_precision": values.get("operating", {}).get("wanted_precision"),
        "per_class": per_class,
        "averages": {
            "micro": rates(*(int(total) for total in totals)),
            "macro": averaged([row for row in rows if row["support"]], int(totals[2])),
        },
        **_told(fitted, boxes, logits, labels, answers, shown),
    }


def _decided(logits: FloatArray, temperature: float, boxes: Boxed) -> tuple[FloatArray, BoolArray]:
    answers = calibrated(logits, temperature, boxes.shifts)
    limits = np.array([*boxes.thresholds, np.inf])
    shown: BoolArray = answers[..., SCORE] >= limits[answers[..., CLASS].astype(np.int64)]
    return answers, shown


def _shift(found: Matched, temperature: float, shared: float) -> float:
    """The shift at which as many boxes of a class are expected to be right as are; of few objects the `shared` one."""
    from scipy.optimize import brentq

    counted = ~found.ignored[0]
    logits, right = odds(found.scores[counted]), found.right[0][counted]
    if found.objects.sum() < FEWEST or not right.any():
        return shared
    # One more of either kind, as Platt (1999) has it: all right or all wrong has a finite shift.
    share = (right.sum() + 1) / (len(right) + 2)
    reach = 50 * temperature

    def over(shift: float) -> float:
        return float(decisions.sigmoid((logits - shift) / temperature).mean() - share)

    return float(brentq(over, logits.min() - reach, logits.max() + reach))


def _thresholds(found: list[Matched], wanted_precision: float | None) -> list[float]:
    """Of the raw scores; a class of few objects has that of all together."""
    scores, right, images = outcomes(found)
    order = np.argsort(-scores, kind="stable")
    total = np.sum([one.objects for one in found], axis=0)
    wrong = np.zeros((1, len(order)), dtype=bool)
    together = found[0]._replace(
        scores=scores[order], right=right[None, order], ignored=wrong, images=images[order], objects=total
    )
    (shared,) = thresholds([together], wanted_precision)
    own = thresholds(found, wanted_precision)
    return [one if each.objects.sum() >= FEWEST else shared for one, each in zip(own, found, strict=True)]


def _told(
    fitted: Confidence,
    boxes: Boxed,
    logits: FloatArray,
    labels: IntArray,
    answers: FloatArray,
    shown: BoolArray,
) -> dict[str, Any]:
    """Calibration before and after, risk and coverage, abstention, under the names that `confidence` has."""
    before, truth = _claims(logits, labels)
    after, _ = _claims(answers, labels)
    # The same boxes of both, in one order: calibration keeps that of the scores.
    told = after[:, 1] >= HARDLY
    if told.any():
        before, after, truth = before[told], after[told], truth[told]
    sure, exact = sureness(answers, shown), _exact(answers, shown, labels)
    likely = np.maximum(after[np.arange(len(truth)), truth], np.finfo(np.float64).eps)
    return {
        "temperature": fitted.temperature,
        "log_loss": float(-np.log(likely).mean()),
        "brier": float(np.square(1 - likely).mean()),
        "ece_before": calibration.ece(before, truth),
        "ece_after": calibration.ece(after, truth),
        "ece_null": calibration.ece_null(after, DRAWS, np.random.default_rng(0)),
        "reliability_before": [asdict(row) for row in calibration.reliability(before, truth)],
        "reliability": [asdict(row) for row in calibration.reliability(after, truth)],
        "risk_coverage": thinned(calibration.curve(sure, exact)),
        "abstention": _abstention(fitted, boxes, sure, exact),
        "conformal": None,
    }


def _claims(answers: FloatArray, labels: IntArray) -> tuple[FloatArray, IntArray]:
    """Of each box (D, 2) how likely it is wrong and right, and which it is (D,); of none that there is none."""
    classes = int(max(answers[..., CLASS].max(initial=0), labels[..., CLASS].max(initial=0))) + 1
    scores, right, _ = outcomes(match(list(answers), list(labels), classes, overlaps=FIFTY))
    if not len(scores):
        scores, right = np.zeros(1), np.zeros(1, dtype=bool)
    return np.stack([1 - scores, scores], axis=-1), right.astype(np.int64)


def _abstention(fitted: Confidence, boxes: Boxed, sure: FloatArray, exact: BoolArray) -> dict[str, Any]:
    figures: dict[str, Any] = {"wanted_accuracy": fitted.wanted_accuracy, "threshold": fitted.abstain_below}
    figures["most_shown"] = most_shown(boxes.images) if boxes.images else None
    if fitted.abstain_below is None:
        return {**figures, "coverage": None, "accuracy": None}
    enough = sure >= fitted.abstain_below
    return {
        **figures,
        "coverage": float(enough.mean()),
        "accuracy": float(exact[enough].mean()) if enough.any() else None,
    }


def _by_size(logits: FloatArray, labels: IntArray, classes: int, scales: FloatArray) -> dict[str, float | None]:
    """The mAP 50:95 of small, medium and large objects; None where there are none."""
    found: dict[str, float | None] = {}
    for name in SIZES:
        if name != "all":
            each = precision(match(list(logits), list(labels), classes, name, scales=scales.tolist()))
            found[name] = each.mean if np.isfinite(each.each).any() else None
    return found


def _counts(one: Matched) -> tuple[int, int, int]:
    """Boxes of a class that are right, all that count, and its objects."""
    return int(one.right[0].sum()), int((~one.ignored[0]).sum()), int(one.objects.sum())


def _exact(answers: FloatArray, shown: BoolArray, labels: IntArray) -> BoolArray:
    found: BoolArray = f1(kept(answers, shown), labels) == 1
    return found


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
