"""Which shifts a plain test of one window finds, and whether it tells prevalence, covariate shift and both apart.

    python benchmarks/drift.py --data FOLDER --work FOLDER [--quick]

The grid of Failing Loudly (Rabanser et al. 2019): ten shifts of 10, 50 and 100 % of the images, windows of 10 to 2,000
photographs that the network never saw, drawn with replacement (`benchmarks/pool.py`), each with splits of its own.
`groups` is the monitor's test, `bbsds` theirs: Kolmogorov and Smirnov's test of every softmax output, corrected for
their number, at 0.05; both against the same reference of 1,000. Without any shift 1,000 windows are asked about.
Prevalence: shares of the classes drawn anew (Dirichlet 1); covariate: every image noisy or moved; both: both. --quick:
3 splits, not 20. The marks are issue 23's; its windows of 10,000 glyphs are not drawn here.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from gate_marks import Measured
from pool import joined, pool, rows
from scipy.stats import ks_2samp

from sightline.monitor.cause import told_apart
from sightline.monitor.scores import Scores
from sightline.monitor.shift import compare

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pool import Pool

    from sightline.evaluate.reference import Reference

SIZES, SHARES, REFERENCE = (10, 20, 50, 100, 200, 500, 1000, 2000), (0.1, 0.5, 1.0), 1000
FORMS = (
    "noise small", "noise medium", "noise large", "image small", "image medium", "image large", "adversarial",
    "knock-out", "image medium and knock-out", "image medium and class 0 alone",
)  # fmt: skip
LEVEL = 0.05
COVARIATE = ("noise medium", "noise large", "image medium", "image large")


class Grid:
    """Windows of the pool beside one reference."""

    def __init__(self, images: Pool, seed: int) -> None:
        self.images, self.rng = images, np.random.default_rng(seed)
        self.labels = images.clean.labels
        self.classes = len(images.clean.classes)
        self.reference = rows(images.clean, self.rng.integers(len(self.labels), size=REFERENCE))
        self.scores = Scores.of(self.reference)
        self.line = self.scores.of_images(self.reference)

    def window(self, size: int, form: str | None = None, share: float = 1.0) -> Reference:
        """A window, with a share of it shifted."""
        among = np.arange(len(self.labels))
        if form and "knock-out" in form:
            among = among[(self.labels != 0) | (self.rng.random(len(among)) >= share)]
        if form and "class 0" in form:
            among = among[self.labels == 0]
        shape = (form or "").partition(" and ")[0]
        return self.shown(self.rng.choice(among, size=size), shape if shape in self.images.forms else None, share)

    def shown(self, chosen: NDArray[np.int64], form: str | None, share: float = 1.0) -> Reference:
        """The photographs, a share of them in that form."""
        clean = rows(self.images.clean, chosen)
        if form is None:
            return clean
        hit = self.rng.random(len(chosen)) < share
        both = joined(clean, self.images.rows(chosen, form))
        return rows(both, np.arange(len(chosen)) + np.where(hit, len(chosen), 0))

    def found(self, window: Reference) -> tuple[bool, bool]:
        """Whether ours and theirs say that the window has shifted."""
        line, values = self.line, self.scores.of_images(window)
        soft = [ks_2samp(line[:, one], values[:, one], method="asymp").pvalue for one in range(self.classes)]
        return compare(line, values, self.scores.groups).p < LEVEL, min(soft) * self.classes < LEVEL

    def kind(self, size: int, *, prevalence: bool, form: str | None) -> str | None:
        """What a window with or without new shares of the classes, in that form, is called."""
        weights, labels = np.ones(len(self.labels)), self.labels
        if prevalence:
            shares = self.rng.dirichlet(np.ones(self.classes))
            weights = shares[labels] / np.bincount(labels, minlength=self.classes)[labels]
        chosen = self.rng.choice(len(labels), size=size, p=weights / weights.sum())
        window = self.shown(chosen, form)
        return told_apart(self.reference, self.scores, window.probabilities, self.scores.of_images(window))


def main() -> None:
    """Draw the windows, test them, print the tables, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the real sets")
    parser.add_argument("--work", type=Path, required=True, help="folder for the pool, kept from run to run")
    parser.add_argument("--quick", action="store_true", help="3 splits, and 100 windows without a shift")
    words = parser.parse_args()
    splits, calm, told = (3, 100, 10) if words.quick else (20, 1000, 50)
    began, images = time.time(), pool(words.data, words.work)
    grids = [Grid(images, seed) for seed in range(splits)]
    print("window   groups  bbsds")
    ours, theirs = {}, {}
    for size in SIZES:
        found = np.array(
            [one.found(one.window(size, form, share)) for one in grids for form in FORMS for share in SHARES]
        )
        ours[size], theirs[size] = found.mean(axis=0).tolist()
        print(f"{size:6,}   {ours[size]:.3f}   {theirs[size]:.3f}", flush=True)
    few = [size for size in SIZES if size <= 1000]
    ahead = float(np.mean([ours[size] - theirs[size] for size in few]))
    measured = [
        Measured(
            what="least lead over BBSDs at any size", share=min(ours[n] - theirs[n] for n in SIZES), at_least=1e-9
        ),
        Measured(what="mean lead up to 1,000", share=ahead, at_least=0.1),
        Measured(what="alarms without a shift", share=quiet(grids, calm), at_most=0.065),
        *(
            Measured(what=f"told apart at {n}", share=apart(grids, n, told), at_least=m)
            for n, m in ((500, 0.85), (1000, 0.95))
        ),
    ]
    for one in measured:
        print(f"{one.what:36} {one.share:.3f}  {one.mark}")
    print(f"{time.time() - began:.0f} s")
    figures = {"groups": ours, "bbsds": theirs, **{one.what: one.share for one in measured}}
    marks = {one.what: one.at_least or one.at_most for one in measured}
    print(json.dumps({"name": "drift", "figures": figures, "marks": marks, "met": all(one.met for one in measured)}))


def quiet(grids: list[Grid], windows: int) -> float:
    """Share of windows without any shift that are said to have shifted."""
    said = [grids[number % len(grids)].found(grids[number % len(grids)].window(500))[0] for number in range(windows)]
    return float(np.mean(said))


def apart(grids: list[Grid], size: int, each: int) -> float:
    """Share of windows whose kind is told rightly."""
    right: dict[str, list[bool]] = {"prevalence": [], "covariate": [], "both": []}
    for number in range(each):
        one = grids[number % len(grids)]
        right["prevalence"].append(one.kind(size, prevalence=True, form=None) == "prevalence")
        for form in COVARIATE:
            right["covariate"].append(one.kind(size, prevalence=False, form=form) == "covariate")
            right["both"].append(one.kind(size, prevalence=True, form=form) == "both")
    shares = {name: float(np.mean(values)) for name, values in right.items()}
    print(f"told rightly at {size}: {', '.join(f'{name} {share:.3f}' for name, share in shares.items())}", flush=True)
    return float(np.mean(list(shares.values())))


if __name__ == "__main__":
    main()
