"""How often the monitor's alarm rings falsely, how soon it rings rightly, and whether its verdict on accuracy holds.

    python benchmarks/alarm.py --data FOLDER --work FOLDER [--quick]

References and streams are drawn from one pool of photographs that the network never saw (`benchmarks/pool.py`; a small
cnn at 32 px, features computed once and kept in the work folder). Beside the alarm, each asked of every 200 images:
Kolmogorov and Smirnov's test of the softmax outputs at 0.05 over all of them, and the rule that half of the outputs
drift, each at 0.05, as Evidently has it for tables of up to 1,000 rows. --quick: 50 streams, not 500.
The marks are issue 23's.
"""

from __future__ import annotations

import argparse
import json
import time
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from gate_marks import Measured
from pool import joined, pool, rows
from scipy.stats import ks_2samp

from sightline.monitor.bet import Bet
from sightline.monitor.harm import Verdict, allowed
from sightline.monitor.scores import Scores

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pool import Pool

    from sightline.evaluate.reference import Reference

ALPHA, REFERENCE, STREAM, CHANGE = 0.01, 1000, 10_000, 2000
BEFORE, AFTER = 2000, 4000
"""Images before the change, and after it as long as is waited."""
DELAYS = {
    ("image medium", 1.0): 50.0,
    ("noise large", 1.0): 50.0,
    ("noise large", 0.1): 400.0,
    ("noise medium", 1.0): None,
    ("image small", 1.0): None,
    ("image medium", 0.5): None,
    ("adversarial", 1.0): None,
    ("adversarial", 0.1): None,
}
"""Form and share of the images → median delay that is marked, if one is."""
EVERY = 200
RUNS = 200
"""Of the verdict."""
AT_ONCE = 10
"""Streams that go through the bet side by side."""


def main() -> None:
    """Draw, bet, print a table, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the real sets")
    parser.add_argument("--work", type=Path, required=True, help="folder for the pool, kept from run to run")
    parser.add_argument("--quick", action="store_true", help="50 streams and 20 changes")
    words = parser.parse_args()
    streams, changes = (50, 20) if words.quick else (500, 100)
    began, images = time.time(), pool(words.data, words.work)
    print(f"the network is right about {images.clean.right.mean():.3f} of {len(images.clean.labels):,} photographs")
    measured = [false_alarms(images, streams), *(Measured(what=name, share=share) for name, share in rivals(images))]
    found = {f"{form}, {share:.0%} of the images": delay(images, form, share, changes) for form, share in DELAYS}
    measured += [
        Measured(what=f"median delay, {name}", share=value, at_most=mark or np.inf)
        for (name, value), mark in zip(found.items(), DELAYS.values(), strict=True)
    ]
    measured += acknowledged(images, changes)
    measured += verdicts()
    for one in measured:
        print(f"{one.what:62} {one.share:8.3f}  {one.mark or (f'≤ {one.at_most:g}' if one.at_most < np.inf else '')}")
    print(f"{time.time() - began:.0f} s")
    figures = {one.what: one.share for one in measured}
    marks = {one.what: one.at_least or one.at_most for one in measured if one.mark or 1 < one.at_most < np.inf}
    print(json.dumps({"name": "alarm", "figures": figures, "marks": marks, "met": all(one.met for one in measured)}))


def drawn(images: Pool, count: int, rng: np.random.Generator, form: str | None = None) -> Reference:
    """Photographs drawn with replacement, as they are or shifted."""
    known = len((images.clean if form is None else images.forms[form]).labels)
    return images.rows(rng.integers(known, size=count), form)


def placed(images: Pool, stream: Reference, rng: np.random.Generator) -> tuple[Scores, NDArray[np.int64]]:
    """Scores by a reference of its own, and the bins of a stream."""
    scores = Scores.of(drawn(images, REFERENCE, rng))
    return scores, scores.bins(scores.of_images(stream), rng.random(len(stream.labels)))


def false_alarms(images: Pool, streams: int) -> Measured:
    """Share of streams without any shift in which the alarm ever rings."""
    rng, ever = np.random.default_rng(0), 0
    for _ in range(streams // AT_ONCE):
        made = [placed(images, drawn(images, STREAM, rng), rng) for _ in range(AT_ONCE)]
        bins = np.stack([one for _, one in made], axis=1)
        ever += int((Bet.new(made[0][0].gaps, AT_ONCE).enter(bins).max(axis=0) >= 1 / ALPHA).sum())
    return Measured(
        what=f"{streams} streams of {STREAM:,} without a shift: ever an alarm", share=ever / streams, at_most=0.02
    )


def rivals(images: Pool, streams: int = 50) -> list[tuple[str, float]]:
    """The same share for two plain rules, each asked again every 200 images."""
    rng, tests, shares = np.random.default_rng(1), 0, 0
    for _ in range(streams):
        line = drawn(images, REFERENCE, rng).probabilities
        stream = drawn(images, STREAM, rng).probabilities
        parts = [stream[start : start + EVERY] for start in range(0, STREAM, EVERY)]
        p = np.array([[ks_2samp(line[:, one], part[:, one]).pvalue for one in range(line.shape[1])] for part in parts])
        tests += bool((p.min(axis=1) < 0.05 / line.shape[1]).any())
        shares += bool(((p < 0.05).mean(axis=1) >= 0.5).any())
    return [
        (f"KS of the softmax every {EVERY} images at 0.05: ever an alarm", tests / streams),
        (f"half of the softmax's columns at 0.05 every {EVERY} images: ever", shares / streams),
    ]


def delay(images: Pool, form: str, share: float, changes: int) -> float:
    """Median images from the change to the alarm; those that are missed count as endless."""
    rng, found = np.random.default_rng(2), []
    for _ in range(changes):
        calm, shifted = drawn(images, BEFORE, rng), drawn(images, AFTER, rng, form)
        plain = drawn(images, AFTER, rng)
        hit = rng.random(AFTER) < share
        after = rows(joined(plain, shifted), np.where(hit, AFTER, 0) + np.arange(AFTER))
        scores, bins = placed(images, joined(calm, after), rng)
        wealth = Bet.new(scores.gaps).enter(bins[:, None])[BEFORE:, 0]
        over = np.flatnonzero(wealth >= 1 / ALPHA)
        found.append(float(over[0] + 1) if len(over) else np.inf)
    return float(np.median(found))


def acknowledged(images: Pool, changes: int, form: str = "image medium", incident: int = 1000) -> list[Measured]:
    """How often calm traffic after an acknowledged incident raises the next alarm, and an incident that goes on."""
    rng, again, lasting = np.random.default_rng(4), 0, 0
    for _ in range(changes):
        shifted = drawn(images, incident + EVERY, rng, form)
        scores, bins = placed(images, joined(shifted, drawn(images, AFTER, rng)), rng)
        bet = Bet.new(scores.gaps)
        bet.enter(bins[:incident, None])
        bet.rearm()
        lasting += int(deepcopy(bet).enter(bins[incident : incident + EVERY, None]).max() >= 2 / ALPHA)
        again += int(bet.enter(bins[incident + EVERY :, None]).max() >= 2 / ALPHA)
    what = f"{incident:,} of {form}, acknowledged, then"
    return [
        Measured(what=f"{what} {AFTER:,} calm: an alarm", share=again / changes, at_most=0.02),
        Measured(what=f"{what} {EVERY} more of them: an alarm", share=lasting / changes, at_least=0.95),
    ]


def verdicts(margin: float = 0.02) -> list[Measured]:
    """How often a fall that costs less than the margin is called harm, and a fall of ten points within 300 labels."""
    rng, small, large, error = np.random.default_rng(3), 0, 0, 0.01
    for _ in range(RUNS):
        bound = allowed(rng.random(REFERENCE) >= error, margin)
        less, more = Verdict(bound), Verdict(bound)
        less.enter(("", bool(one)) for one in rng.random(STREAM // 2) < error + 0.95 * margin)
        more.enter(("", bool(one)) for one in rng.random(300) < error + 0.1)
        small, large = small + (less.since is not None), large + (more.since is not None)
    what = f"errors 1 % in {REFERENCE:,} reference images"
    return [
        Measured(what=f"{what}, then 2.9 %: called harm", share=small / RUNS, at_most=0.01),
        Measured(what=f"{what}, then 11 %: called in 300 labels", share=large / RUNS, at_least=0.95),
    ]


if __name__ == "__main__":
    main()
