"""The rule of the comparison: answers of a candidate, and of those that it is compared with, in; blessings out.

Pure functions on arrays. All models answered the same test images, in the same order.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sightline.evaluate import compare
from sightline.heads.known import ONE
from sightline.registry.blessing import NOT_APPLICABLE, OVERALL, Blessing

if TYPE_CHECKING:
    from sightline.evaluate.metrics import Figures, FloatArray, IntArray
    from sightline.evaluate.paired import Paired
    from sightline.heads.gained import Gained
    from sightline.heads.protocol import Head
    from sightline.params import Gate
    from sightline.registry.blessing import Bound

Rule = Literal["better", "no_worse"]
Word = Literal["passed", "failed", "insufficient", "not applicable"]
BETTER: Rule = "better"
NO_WORSE: Rule = "no_worse"
POWER = 0.5
"""Below this chance of showing a one-point gain, a release is too small to refuse a candidate by."""
HARM = 0.05
"""p from which on harm counts as shown."""
SHARE, SURE = 0.9, 0.01
"""Of the chance to err, what a score gets where figures of images tell something else; p of its being no lower."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What a version answered for the images of a release."""

    version: str
    labels: IntArray
    """(N,) true classes, or (N, C) which of them are there."""
    probabilities: FloatArray
    """(N, C) over the classes that version and release have together."""
    head: Head = ONE
    """That of its task."""
    figures: Figures | None = None
    """(N,) the figure of each image, where it does not follow from the probabilities alone."""
    groups: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    """(N,) images of one number belong together; where none are given each stands alone."""

    def __post_init__(self) -> None:
        if not len(self.groups):
            object.__setattr__(self, "groups", np.arange(len(self.labels)))

    @property
    def right(self) -> Figures:
        """(N,) whether each image is answered rightly, or how well."""
        return self.probabilities.argmax(axis=1) == self.labels if self.figures is None else self.figures

    @property
    def log_losses(self) -> FloatArray:
        """(N,) what each answer costs, nats."""
        return self.head.log_losses(self.probabilities, self.labels)

    def gained(self, other: Scored) -> Gained | None:
        """What is gained of the score over another version on the same images, where their figures do not tell."""
        return self.head.gained(self.probabilities, self.labels, other.probabilities, other.labels, self.groups)


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One paired comparison, and what it says."""

    verdict: Word
    sentence: str
    figures: dict[str, Any]


def first(right: Figures, labels: IntArray, limits: Gate, bound: Bound, head: Head = ONE) -> Blessing:
    """The absolute floors of the first champion; both arrays are (N, …)."""
    accuracy, majority = float(right.mean()), head.floor(labels)
    floor = max(limits.min_accuracy, majority + limits.min_gain_over_majority)
    figures = {"rule": "floors", "accuracy": accuracy, "majority": majority, "floor": floor, "images": len(labels)}
    said = f"{head.said(accuracy)} of {len(labels)} test images"
    if accuracy >= floor:
        return _overall("passed", f"first champion: {said}, the floor is {floor:.1%}", figures, bound)
    return _overall("failed", f"no champion yet: {said}, below the floor of {floor:.1%}", figures, bound)


def later(
    pair: Paired, name: str, rule: Rule, limits: Gate, level: float, bound: Bound, score: Gained | None = None
) -> Blessing:
    """Whether a candidate may follow the champion of that `name`, by the rule that was asked for, at p ≤ `level`.

    score: what was gained of a score that does not follow from the figures of images.
    """
    done = compared(pair, f"version {name}", rule, limits, level, score)
    return _overall(done.verdict, done.sentence, {**done.figures, **accuracies(pair)}, bound)


def harmed(pair: Paired, name: str, bound: Bound, score: Gained | None = None) -> Blessing | None:
    """The blessing that is refused where the candidate is shown to be worse than the champion; None where it is not.

    Whoever looks for harm alone spends nothing: it promotes no candidate.
    """
    for one in (pair, score):
        if one is not None and one.harm <= HARM:
            figures = {**_figures(pair, score), **accuracies(pair), "harm": one.harm}
            said = f"worse than champion version {name}: {one.seen} (p = {one.harm:.2g})"
            return _overall("failed", said, figures, bound)
    return None


def not_asked(said: str, pair: Paired, bound: Bound, verdict: Word = NOT_APPLICABLE) -> Blessing:
    """The blessing of a candidate whose comparison is not asked for, and spends nothing."""
    return _overall(verdict, f"{said}; no comparison is spent", {**_figures(pair), **accuracies(pair)}, bound)


def same_network(pair: Paired, name: str, rule: Rule, bound: Bound) -> Blessing:
    """The blessing of a candidate with the champion's own network, whose figures on all images are the champion's.

    Other decisions are a person's wish, and not better.
    """
    said = f"the network of champion version {name} with other decisions"
    if rule == NO_WORSE:
        return not_asked(said, pair, bound, "passed")
    return not_asked(f"{said}; if meant, promote it by the rule no_worse", pair, bound, "failed")


def with_best(
    judged: Blessing, pair: Paired, name: str, limits: Gate, level: float, score: Gained | None = None
) -> Blessing:
    """Hold a candidate of rule `no_worse` to the best champion that this release has seen too, not to the last alone.

    Without it each of many could be a little worse than the one before.
    """
    done = compared(pair, f"the best so far, version {name}", NO_WORSE, limits, level, score)
    figures = {**judged.figures, "best": {"version": name, **done.figures}}
    weight = ("passed", "insufficient", "failed")
    both: tuple[Blessing | Compared, ...] = (judged, done)
    worse = max(both, key=lambda one: weight.index(one.verdict))
    return replace(judged, verdict=worse.verdict, sentence=worse.sentence, figures=figures)


def compared(pair: Paired, name: str, rule: Rule, limits: Gate, level: float, score: Gained | None = None) -> Compared:
    """Compare two models on the same images by `rule`, at p ≤ `level`."""
    figures = {**_figures(pair, score), "rule": rule, "level": level}
    if rule == BETTER:
        p = pair.better if score is None else either(pair, score, limits.margin)
        figures |= {"p": p}
        passed = p <= level
        good, bad = f"better than {name}", f"not shown to be better than {name}"
        asked = f"(p = {p:.2g}, {level:.2g} asked)"
    else:
        done = compare.no_worse(pair, limits.margin, level)
        low = done.low if score is None else min(done.low, score.low(level))
        figures |= {**asdict(done), "margin": limits.margin, "low": low}
        passed = done.passed and (score is None or score.above(-limits.margin) <= level)
        good, bad = f"not worse than {name}", f"may be worse than {name}"
        asked = f"(at worst {100 * low:+.2f} points, {-100 * limits.margin:+.2f} allowed)"
    if score is not None:
        asked += f"; {score.seen}"
    if passed:
        return Compared(verdict="passed", sentence=f"{good}: {pair.seen} {asked}", figures=figures)
    harm = pair.harm if score is None else min(pair.harm, score.harm)
    figures |= {"harm": harm}
    if harm <= HARM:
        return Compared(verdict="failed", sentence=f"worse than {name}: {pair.seen} {asked}", figures=figures)
    return _short(pair, f"{bad}: {pair.seen} {asked}", figures, level)


def either(pair: Paired, score: Gained, margin: float) -> float:
    """The p of "neither the score nor the figures of images are better": Bonferroni, most of it for the score.

    The figures look at one threshold: a model may answer better there while it ranks, or lies, worse. They count alone
    only where the score is shown to be lower by less than the margin.
    """
    figures = pair.better if score.above(-margin) <= SURE else 1.0
    return min(1.0, score.better / SHARE, figures / (1 - SHARE))


def _short(pair: Paired, sentence: str, figures: dict[str, Any], level: float) -> Compared:
    """Why nothing was shown: the images are too few, or it is simply not so."""
    power = compare.power(pair.independent, pair.disagreement, level)
    figures |= {"power": power}
    if power >= POWER:
        return Compared(verdict="failed", sentence=sentence, figures=figures)
    needed = round(compare.images_needed(pair.disagreement, level, POWER) * pair.inflation)
    short = f"{needed:,} would show one point"
    return Compared(verdict="insufficient", sentence=f"{sentence}; {short}", figures={**figures, "needed": needed})


def _figures(pair: Paired, score: Gained | None = None) -> dict[str, Any]:
    found = {"gained": pair.gained, "lost": pair.lost, "images": pair.images, "groups": len(pair.sums)}
    return found if score is None else {**found, "score": asdict(score)}


def accuracies(pair: Paired) -> dict[str, float]:
    """Shares of right answers of both."""
    return {"accuracy": pair.accuracy, "champion_accuracy": pair.other}


def _overall(verdict: Word, sentence: str, figures: dict[str, Any], bound: Bound) -> Blessing:
    return blessed(OVERALL, verdict, sentence, figures, bound)


def blessed(
    name: str, verdict: Word, sentence: str, figures: dict[str, Any], bound: Bound, *, warning: str = ""
) -> Blessing:
    """A blessing that ran."""
    return Blessing(name=name, verdict=verdict, sentence=sentence, figures=figures, digests=bound, warning=warning)
