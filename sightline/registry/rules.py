"""The rules of the gate: answers of a candidate, and of those that it is compared with, in; blessings out.

Pure functions on arrays. All models answered the same test images, in the same order. Every comparison spends the same
share of `gate.alpha`: at most 20 candidates are compared on one release.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sightline.evaluate import compare
from sightline.registry.blessing import FRESH, NO_CHAMPION, OVERALL, Blessing

if TYPE_CHECKING:
    from sightline.evaluate.metrics import BoolArray, FloatArray, IntArray
    from sightline.params import Gate
    from sightline.registry.blessing import Bound

Rule = Literal["better", "no_worse"]
Word = Literal["passed", "failed", "insufficient"]
BETTER: Rule = "better"
NO_WORSE: Rule = "no_worse"
CANDIDATES = 20
"""Comparisons that share `gate.alpha` on one test release."""
POWER = 0.5
"""Below this chance of showing a one-point gain, a release is too small to refuse a candidate by."""
HARM = 0.05
"""p from which on harm counts as shown."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What a version answered for the images of a release."""

    version: str
    labels: IntArray
    """(N,) true classes."""
    probabilities: FloatArray
    """(N, C) over the classes that version and release have together."""

    @property
    def right(self) -> BoolArray:
        """(N,) whether each image is answered rightly."""
        correct: BoolArray = self.probabilities.argmax(axis=1) == self.labels
        return correct


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One paired comparison, and what it says."""

    verdict: Word
    sentence: str
    figures: dict[str, Any]


def first(right: BoolArray, labels: IntArray, limits: Gate, bound: Bound) -> Blessing:
    """The absolute floors of the first champion; both arrays are (N,)."""
    accuracy, majority = float(right.mean()), float(np.unique(labels, return_counts=True)[1].max() / len(labels))
    floor = max(limits.min_accuracy, majority + limits.min_gain_over_majority)
    figures = {"rule": "floors", "accuracy": accuracy, "majority": majority, "floor": floor, "images": len(labels)}
    said = f"right in {accuracy:.1%} of {len(labels)} test images"
    if accuracy >= floor:
        return _overall("passed", f"first champion: {said}, the floor is {floor:.1%}", figures, bound)
    return _overall("failed", f"no champion yet: {said}, below the floor of {floor:.1%}", figures, bound)


def later(candidate: BoolArray, champion: BoolArray, name: str, rule: Rule, limits: Gate, bound: Bound) -> Blessing:
    """Whether a candidate may follow the champion of that `name`, by the rule that was asked for."""
    done = compared(candidate, champion, f"champion version {name}", rule, limits)
    figures = {**done.figures, "accuracy": float(candidate.mean()), "champion_accuracy": float(champion.mean())}
    return _overall(done.verdict, done.sentence, figures, bound)


def with_best(judged: Blessing, candidate: BoolArray, best: BoolArray, name: str, limits: Gate) -> Blessing:
    """Hold a candidate of rule `no_worse` to the best champion that this release has seen too, not to the last alone.

    Without it each of many could be a little worse than the one before.
    """
    done = compared(candidate, best, f"version {name}, the best champion on this release,", NO_WORSE, limits)
    figures = {**judged.figures, "best": {"version": name, **done.figures}}
    weight = ("passed", "insufficient", "failed")
    worse = max(judged.verdict, done.verdict, key=weight.index)
    sentence = f"{judged.sentence}; {done.sentence}"
    return Blessing(name=OVERALL, verdict=worse, sentence=sentence, figures=figures, digests=judged.digests)


def compared(candidate: BoolArray, other: BoolArray, name: str, rule: Rule, limits: Gate) -> Compared:
    """Compare two models on the same images by `rule`; both arrays are (N,), True where the answer is right."""
    alpha, n = limits.alpha / CANDIDATES, len(candidate)
    gained, lost = compare.discordant(other, candidate)
    seen = (
        f"of {n} test images it gets {gained} right that {name} gets wrong, and {lost} wrong that the other gets right"
    )
    figures: dict[str, Any] = {"rule": rule, "alpha": alpha, "gained": gained, "lost": lost, "images": n}
    if rule == BETTER:
        p = compare.mcnemar_better(other, candidate)
        figures |= {"p": p}
        passed = p <= alpha
        good, bad = f"better than {name}", f"not shown to be better than {name}"
        asked = f"(p = {p:.3g}; p ≤ {alpha:g} is asked)"
    else:
        done = compare.no_worse(other, candidate, limits.margin, alpha)
        figures |= {**asdict(done), "margin": limits.margin}
        passed = done.passed
        good, bad = f"not worse than {name}", f"not shown to be no worse than {name}"
        asked = (
            f"(difference {100 * done.difference:+.2f} points, interval {100 * done.low:+.2f} … {100 * done.high:+.2f};"
            f" above {-100 * limits.margin:+.2f} is asked)"
        )
    if passed:
        return Compared(verdict="passed", sentence=f"{good}: {seen} {asked}", figures=figures)
    figures |= {"harm": compare.mcnemar_better(candidate, other)}
    if figures["harm"] <= HARM:
        return Compared(verdict="failed", sentence=f"worse than {name}: {seen} {asked}", figures=figures)
    return _short(f"{bad}: {seen} {asked}", figures)


def _short(sentence: str, figures: dict[str, Any]) -> Compared:
    """Why nothing was shown: the images are too few, or it is simply not so."""
    n, alpha = figures["images"], figures["alpha"]
    disagreement = (figures["gained"] + figures["lost"]) / n
    power = compare.power_one_point(n, disagreement, alpha)
    figures |= {"power": power}
    if power >= POWER:
        return Compared(verdict="failed", sentence=sentence, figures=figures)
    needed = compare.images_needed(disagreement, alpha, POWER)
    short = (
        f"{n} test images are insufficient to tell: they would show a gain of one point in {power:.0%} of cases, "
        f"{needed:,} would in half of them"
    )
    return Compared(verdict="insufficient", sentence=f"{sentence}; {short}", figures={**figures, "needed": needed})


def fresh(
    candidate: BoolArray, champion: BoolArray | None, new: BoolArray, rule: Rule, limits: Gate, bound: Bound
) -> Blessing:
    """After new labels: by the rule on the `new` images (N,) of the release, no worse than the margin on the old."""
    figures: dict[str, Any] = {"new": int(new.sum()), "old": int((~new).sum())}
    if champion is None:
        return blessed(FRESH, "passed", NO_CHAMPION, figures, bound)
    if not new.any() or new.all():
        return blessed(FRESH, "passed", "this release has no newly labelled part", figures, bound)
    on_new = compared(candidate[new], champion[new], "the champion", rule, limits)
    on_old = compared(candidate[~new], champion[~new], "the champion", NO_WORSE, limits)
    words = {on_new.verdict, on_old.verdict}
    verdict: Word = "failed" if "failed" in words else "insufficient" if "insufficient" in words else "passed"
    sentence = f"on the new part {on_new.sentence}; on the old part {on_old.sentence}"
    return blessed(FRESH, verdict, sentence, {**figures, "on_new": on_new.figures, "on_old": on_old.figures}, bound)


def _overall(verdict: Word, sentence: str, figures: dict[str, Any], bound: Bound) -> Blessing:
    return blessed(OVERALL, verdict, sentence, figures, bound)


def blessed(name: str, verdict: Word, sentence: str, figures: dict[str, Any], bound: Bound) -> Blessing:
    """A blessing that ran."""
    return Blessing(name=name, verdict=verdict, sentence=sentence, figures=figures, digests=bound)
