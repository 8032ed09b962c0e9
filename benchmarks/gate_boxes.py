"""What the gate lets pass of detectors: one that is worse seldom, one that is clearly better more often than not.

    python benchmarks/gate_boxes.py [--quick]

Detectors are drawn (`boxes_drawn.py`) and judged by the production functions of `sightline.registry` with the values of
a new project, by the laxest p that a comparison is ever won by: slices, harm, validation, then the comparison. They
differ in mAP 50:95 by so many points on 10,000 images, for one reason each: objects that are found, false alarms, exact
edges, or scores that tell right from wrong. *traded*: twice as many objects are found, or hardly a false alarm is left,
but boxes lie so much less exactly that average precision is 2 points lower.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from boxes_drawn import Kind, Seen, answers, draw
from gate_marks import Measured

from sightline.evaluate import boxes
from sightline.evaluate.confidence import Wanted
from sightline.evaluate.paired import paired
from sightline.heads.boxed import matched
from sightline.heads.detect import Detect
from sightline.heads.labels import DETECT
from sightline.heads.matching import precision
from sightline.heads.targets import CLASS
from sightline.models.bundle import Card
from sightline.params import Gate
from sightline.registry import rules
from sightline.registry.blessing import FAILED, PASSED, Bound
from sightline.registry.check_slices import check_slices
from sightline.registry.objections import favours
from sightline.registry.rules import Scored
from sightline.registry.wealth import level

if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD, LIMITS, BOUND = Detect(), Gate(), Bound(data="", code="", weights="", release="")
CLASSES, SIDE = ("a", "b", "c"), 512
RULES: tuple[rules.Rule, ...] = (rules.BETTER, rules.NO_WORSE)
LEVEL = float(level(0, 1, [], LIMITS.alpha))
FEW, MANY = 200, 1_000
"""Test images; half as many are for validation."""
LARGE, CALIB = 10_000, 300
"""Images by which detectors are made to differ, and on which their scores are calibrated."""
STEPS = 12
"""Of the search for a detector that differs by so much."""
SERIES, EQUAL, QUICK = 1_000, 200, 50
"""All; where each is judged to the end; and the fewest."""
REACH = {"finds": 3.0, "alarms": 0.7, "off": 0.08, "tells": 3.0}
"""How far a property is changed at most."""
CHAMPION = Kind(finds=0.4, alarms=0.5, off=0.07, tells=0.9)
TRADED = {"traded finds": replace(CHAMPION, finds=1.2), "traded alarms": replace(CHAMPION, alarms=0.1)}


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A detector with its decisions."""

    kind: Kind
    card: Card


def main() -> None:
    """Draw, print a table, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} series instead of {SERIES:,}, few images")
    series = QUICK if parser.parse_args().quick else SERIES
    began = time.process_time()
    rows = []
    for one in measured(series):
        rows.append(one)
        print(f"  {one.share:7.4f}  {one.mark:8}{'' if one.met else 'NOT MET  '}{one.what}", flush=True)
    print(f"{series:,} series, p ≤ {LEVEL:.2g} asked, {time.process_time() - began:.0f} s of CPU")
    marks = {one.what: one.mark for one in rows if one.mark}
    figures = [asdict(one) for one in rows]
    print(json.dumps({"name": "gate_boxes", "figures": figures, "marks": marks, "met": all(one.met for one in rows)}))


def measured(series: int) -> Iterator[Measured]:
    """The rows of the table; of those that cost most there are fewer series."""
    sizes = [(FEW, series), (MANY, QUICK)] if series > QUICK else [(FEW, series)]
    for images, most in sizes:
        for name, kind in {"equal": CHAMPION, **worse()}.items():
            count = min(most, EQUAL) if kind is CHAMPION else most
            found = ships(kind, images, count)
            said = f"{count:,} series of {images:,} images, {name}: ships as"
            yield Measured(what=f"{said} better", share=found[rules.BETTER], at_most=0.01)
            # Who is equal is not worse, and may ship as that.
            allowed = 1.0 if kind is CHAMPION else 0.01
            yield Measured(what=f"{said} no worse", share=found[rules.NO_WORSE], at_most=allowed)
    for name in ("finds", "off", "tells"):
        count = min(series, EQUAL)
        share = ships(shifted(CHAMPION, name, 0.05), FEW, count)[rules.BETTER]
        said = f"{count:,} series of {FEW} images, 5 points better, {name}: passes"
        # Of few series a share is not more exact than that.
        yield Measured(what=said, share=share, at_least=0.5 if count == EQUAL else 0.35)


@cache
def worse() -> dict[str, Kind]:
    """Detectors whose mAP 50:95 is 2 points lower, by why that is."""
    alone = {f"2 points worse, {name}": shifted(CHAMPION, name, -0.02) for name in REACH}
    return alone | {f"2 points worse, {name}": shifted(kind, "off", -0.02) for name, kind in TRADED.items()}


def shifted(kind: Kind, name: str, by: float) -> Kind:
    """A detector whose mAP 50:95 differs from the champion's by so much, by that property; found by halving."""
    wanted = score(CHAMPION) + by
    better = 1 if name in {"finds", "tells"} else -1
    ends = sorted((0.0, better * REACH[name] * (1 if by > 0 else -1)))
    value = getattr(kind, name)
    low, high = (max(0.005, value + end) for end in ends)
    for _ in range(STEPS):
        middle = (low + high) / 2
        is_short = score(replace(kind, **{name: middle})) < wanted
        low, high = (middle, high) if is_short == (better > 0) else (low, middle)
    found = replace(kind, **{name: middle})
    print(f"{name} {value:g} → {middle:.3f}: {100 * (score(found) - score(CHAMPION)):+.2f} points", flush=True)
    return found


@cache
def large() -> Seen:
    """The images by which detectors are made to differ."""
    return draw(LARGE, np.random.default_rng(1))


def score(kind: Kind) -> float:
    """The mAP 50:95 on many images."""
    rng = np.random.default_rng(2)
    return precision(matched(answers(kind, large(), rng), large().truth)).mean


def ready(kind: Kind) -> Ready:
    """With calibration and thresholds of its own calibration images."""
    rng = np.random.default_rng(3)
    seen = draw(CALIB, rng)
    fitted = boxes.fit(answers(kind, seen, rng), seen.truth, Wanted(accuracy=0.9), len(CLASSES))
    card = Card("", SIDE, CLASSES, fitted.temperature, "", task=DETECT, decoding=fitted.decoding, fit="letterbox")
    return Ready(kind=kind, card=card)


def ships(kind: Kind, images: int, series: int) -> dict[rules.Rule, float]:
    """Share of the series in which a candidate of that kind follows the champion, by each rule."""
    champion, candidate = ready(CHAMPION), ready(kind)
    rng = np.random.default_rng(4)
    found = [passes(champion, candidate, images, rng) for _ in range(series)]
    return {rule: sum(rule in one for one in found) / series for rule in RULES}


def passes(champion: Ready, candidate: Ready, images: int, rng: np.random.Generator) -> list[rules.Rule]:
    """One series, as `judge` asks: by which rules the candidate passes everything."""
    tested = draw(images, rng)
    own, other = (scored(one, tested, rng) for one in (candidate, champion))
    # All must agree. Asked first is what is soon known: lower by the margin no score passes by either rule.
    if precision_of(own) - precision_of(other) <= -LIMITS.margin:
        return []
    pair, score = paired(other.right, own.right, own.groups), own.gained(other)
    if score is None or rules.harmed(pair, "1", BOUND, score) is not None:
        return []
    # The sentence of one that does not pass looks for how many images would do, at length.
    enough = {rules.BETTER: rules.either(pair, score, LIMITS.margin), rules.NO_WORSE: score.above(-LIMITS.margin)}
    judged = [
        rule
        for rule in RULES
        if enough[rule] <= LEVEL and rules.later(pair, "1", rule, LIMITS, LEVEL, BOUND, score).verdict == PASSED
    ]
    if not judged or sliced(own, other) == FAILED:
        return []
    held_back = draw(images // 2, rng)
    own, other = (scored(one, held_back, rng) for one in (candidate, champion))
    slack = {rules.BETTER: 0.0, rules.NO_WORSE: LIMITS.margin}
    return [rule for rule in judged if favours(own, other, slack[rule])]


def sliced(own: Scored, other: Scored) -> str:
    """What the check of the classes says."""
    shown = own.labels[..., CLASS]
    parts = {f"label={name}": (shown == number).any(axis=1) for number, name in enumerate(CLASSES)}
    every = np.ones(len(shown), dtype=bool)
    return check_slices(own.right, other.right, parts, list(parts), every, own.groups, BOUND, HEAD).verdict


def precision_of(one: Scored) -> float:
    """The mAP 50:95."""
    return precision(matched(one.probabilities, one.labels)).mean


def scored(one: Ready, seen: Seen, rng: np.random.Generator) -> Scored:
    """What a detector answers, as the gate has it."""
    probabilities = HEAD.probabilities(answers(one.kind, seen, rng), one.card)
    figures = HEAD.figures(probabilities, seen.truth, one.card)
    return Scored(version="", labels=seen.truth, probabilities=probabilities, head=HEAD, figures=figures)


if __name__ == "__main__":
    main()
