"""A year of one camera: is it kept good by the alarm, the verdict, the policy and the gate, and at what price.

    python benchmarks/year.py [--quick] [--seed N]

Handwritten digits, each drawn anew with a shift, a brightness and noise of its own; 600 a week. How often each digit
comes drifts from week to week; in week 26 the lens is changed (blurred, darker, moved by a pixel). 300 labels every
four weeks, 1 % of them wrong: 100 drawn at random, 200 of the images that the champion was least sure of. Models are
linear heads on fixed features, computed once for each image. The bet, the verdict, the estimate, the policy, the power
of a release, the paired test and the level of the gate are the production code; roles, release and labels are its rules
restated for arrays. Beside it, on the same labels: training every week and shipping what has the higher figure on the
test images; no training; an oracle that trains every week and ships what is truly better. --quick: one year, not three.
The marks are issue 23's.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from gate_marks import Measured
from year_camera import Images, Model, camera, noisy

from sightline.evaluate import compare, power
from sightline.evaluate.paired import paired
from sightline.evaluate.release import GROWTH
from sightline.monitor.bet import Bet
from sightline.monitor.estimate import guess
from sightline.monitor.harm import Verdict, allowed
from sightline.monitor.policy import Facts, decide, expected
from sightline.monitor.scores import Scores
from sightline.params import Gate, Monitor, Retrain
from sightline.registry.rules import HARM, compared
from sightline.registry.wealth import level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WEEKS, CHANGE, EVERY, ASKED, AUDIT = 52, 26, 4, 300, 100
TRAFFIC, FIRST, TRUTH, TEST = 600, 1000, 4000, 0.2


class Watch:
    """The monitor of one champion."""

    def __init__(self, champion: Model, testing: Images, rng: np.random.Generator) -> None:
        self.champion, self.reference, self.rng = champion, champion.seen(testing), rng
        self.scores = Scores.of(self.reference)
        self.bet, self.alarms, self.shifted = Bet.new(self.scores.gaps), 0, False
        self.verdict = Verdict(allowed(champion.right(testing), Monitor().harm_margin))
        self.drop = 0.0

    def look(self, images: Images) -> int | None:
        """Enter a week; after how many images an alarm rang, if one did."""
        seen = self.champion.seen(images)
        bins = self.scores.bins(self.scores.of_images(seen), self.rng.random(len(images.labels)))
        wealth = self.bet.enter(bins[:, None])[:, 0]
        over = np.flatnonzero(wealth >= 2.0**self.alarms / Monitor().alpha)
        found = guess(self.reference.probabilities, self.reference.right, seen.probabilities)
        self.drop = max(0.0, found.reference - found.accuracy) if found else 0.0
        self.shifted = self.shifted or bool(len(over))
        return int(over[0]) + 1 if len(over) else None

    def acknowledge(self) -> None:
        """A person has seen the alarm."""
        if self.shifted:
            self.bet.rearm()
            self.alarms, self.shifted = self.alarms + 1, False


@dataclass
class Labelled:
    """The data set: its roles, and the test release that grows."""

    train: Images
    test: Images
    release: int
    """Images of the release: the first of `test`."""

    def add(self, images: Images, rng: np.random.Generator) -> float:
        """Labels came; how many families of comparisons the release has earned by growing."""
        held = rng.random(len(images.labels)) < TEST
        self.train, self.test = self.train + images.rows(~held), self.test + images.rows(held)
        came = len(self.test.labels) - self.release
        if came < GROWTH * self.release:
            return 0.0
        self.release += came
        return came / self.release

    @property
    def testing(self) -> Images:
        """The release."""
        return self.test.rows(np.arange(self.release))


@dataclass
class Year:
    """What came of it."""

    delay: float = np.inf
    worse: int = 0
    """Models that were shipped although they are worse on the traffic of the week …"""
    worse_weekly: int = 0
    """… and those that training every week shipped."""
    shipped: list[int] = field(default_factory=list)
    trained: int = 0
    accuracy: dict[str, list[float]] = field(
        default_factory=lambda: {name: [] for name in ("ours", "weekly", "none", "oracle")}
    )


def live(seed: int) -> Year:
    """A year."""
    rng, year = np.random.default_rng(seed), Year()
    logits = np.zeros(10)
    shares = np.full(10, 0.1)
    train, test = (noisy(camera(count, shares, rng, lens=False), rng) for count in (FIRST, FIRST // 4))
    data = Labelled(train, test, FIRST // 4)
    champion = Model(data.train)
    models = {"none": champion, "weekly": champion, "oracle": champion}
    watch, place, since, born, learned = Watch(champion, data.testing, rng), 0, np.inf, 0, FIRST
    earned: list[tuple[int, float]] = []
    recent: list[Images] = []
    disagreement, fresh = power.TYPICAL, 0
    for week in range(WEEKS):
        logits = logits + rng.normal(0, 0.08, 10)
        shares = np.exp(logits) / np.exp(logits).sum()
        lens = week >= CHANGE
        # Whatever is chosen on some images is right on others by no luck.
        traffic, truth, measured = (camera(count, shares, rng, lens=lens) for count in (TRAFFIC, TRUTH, TRUTH))
        rang, since = watch.look(traffic), since + 7 * 24
        if week == CHANGE and rang is not None:
            year.delay = rang
        recent.append(traffic)
        if (week + 1) % EVERY == 0:
            audit, queue = chosen(recent, champion, rng)
            right = champion.right(audit)
            watch.verdict.enter((str(week), not bool(one)) for one in right)
            earned.append((place, data.add(noisy(audit + queue, rng), rng)))
            fresh, recent = fresh + ASKED, []
        asked = float(level(place, 7 * (week + 1), earned, Gate().alpha))
        lost = max(0.0, watch.verdict.wrong / max(1, watch.verdict.labels) - watch.verdict.bound)
        harmed = watch.verdict.since is not None
        gain = expected(harmed, lost, watch.shifted, watch.drop)
        facts = Facts(
            champion="1", age=7.0 * (week - born), harmed=harmed, lost=lost, shifted=watch.shifted, drop=watch.drop,
            changed=fresh > 0, new_labels=fresh, learned=learned, running=None, since=since, spent=0.0,
            chance=compare.power(data.release, disagreement, asked, gain), needed=0,
        )  # fmt: skip
        candidate = Model(data.train)
        if decide(facts, Retrain()).train:
            year.trained, since, learned, fresh = year.trained + 1, 0.0, len(data.train.labels), 0
            right, before = candidate.right(data.testing), champion.right(data.testing)
            pair, place = paired(before, right), 7 * (week + 1)
            disagreement = max(0.005, float((right != before).mean()))
            if compared(pair, "the champion", "better", Gate(), asked).verdict == "passed" and pair.harm > HARM:
                year.worse += candidate.accuracy(truth) < champion.accuracy(truth)
                year.shipped.append(week)
                champion, born = candidate, week
                earned.append((place, 1.0))
                watch = Watch(champion, data.testing, rng)
        if candidate.accuracy(data.testing) > models["weekly"].accuracy(data.testing):
            year.worse_weekly += candidate.accuracy(truth) < models["weekly"].accuracy(truth)
            models["weekly"] = candidate
        if candidate.accuracy(truth) > models["oracle"].accuracy(truth):
            models["oracle"] = candidate
        watch.acknowledge()
        for name, one in {"ours": champion, **models}.items():
            year.accuracy[name].append(one.accuracy(measured))
    return year


def chosen(recent: list[Images], champion: Model, rng: np.random.Generator) -> tuple[Images, Images]:
    """The audit sample of the last weeks, and the others of which the champion was least sure."""
    images = recent[0]
    for one in recent[1:]:
        images = images + one
    order = rng.permutation(len(images.labels))
    audit, rest = images.rows(order[:AUDIT]), images.rows(order[AUDIT:])
    two = np.sort(champion.probabilities(rest), axis=1)[:, -2:]
    return audit, rest.rows(np.argsort(two[:, 1] - two[:, 0])[: ASKED - AUDIT])


def main() -> None:
    """Live, print a table, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one year, not three")
    parser.add_argument("--seed", type=int, default=0)
    words = parser.parse_args()
    began = time.time()
    years = [live(words.seed + number) for number in range(1 if words.quick else 3)]
    print(f"{'accuracy, mean of the years':32} {'ours':>7} {'weekly':>7} {'none':>7} {'oracle':>7}")
    for first in range(0, WEEKS, EVERY):
        means = [np.mean([year.accuracy[name][first : first + EVERY] for year in years]) for name in years[0].accuracy]
        print(f"weeks {first + 1:2} to {first + EVERY:2}{'':20} " + " ".join(f"{one:7.3f}" for one in means))
    for number, year in enumerate(years):
        print(
            f"year {number + 1}: trained {year.trained} times, shipped in weeks {[week + 1 for week in year.shipped]}"
        )
    last = {name: np.mean([year.accuracy[name][-EVERY:] for year in years]) for name in years[0].accuracy}
    after = -(-(CHANGE + 1) // EVERY) * EVERY
    repaired = [np.mean(year.accuracy["oracle"][after:]) - np.mean(year.accuracy["ours"][after:]) for year in years]
    needless = max((year.trained - len(year.shipped)) / 12 for year in years)
    measured = [
        Measured(what="worse models shipped", share=float(sum(year.worse for year in years)), at_most=0.0),
        Measured(
            what="the same by training every week",
            share=float(sum(year.worse_weekly for year in years)),
            at_most=np.inf,
        ),
        Measured(
            what="images to the alarm after the lens change", share=max(year.delay for year in years), at_most=100
        ),
        Measured(
            what="behind the oracle since the next labels, points", share=100 * float(max(repaired)), at_most=np.inf
        ),
        Measured(what="needless trainings a month", share=needless, at_most=1.0),
        Measured(
            what="behind the oracle at the end, points", share=100 * float(last["oracle"] - last["ours"]), at_most=0.5
        ),
    ]
    for one in measured:
        print(f"{one.what:50} {one.share:8.2f}  {f'≤ {one.at_most:g}' if one.at_most < np.inf else ''}")
    print(f"{time.time() - began:.0f} s")
    figures = {one.what: one.share for one in measured} | {
        f"accuracy at the end, {name}": float(one) for name, one in last.items()
    }
    marks = {one.what: one.at_most for one in measured if one.at_most < np.inf}
    print(json.dumps({"name": "year", "figures": figures, "marks": marks, "met": all(one.met for one in measured)}))


if __name__ == "__main__":
    main()
