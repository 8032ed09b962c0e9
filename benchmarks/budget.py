"""Whether `sightline run --budget` ends inside its budget, and what more time brings.

    python benchmarks/budget.py --data FOLDER --cells accuracy.json [--budgets 1 3 10] [--sets steel signs apple]
    python benchmarks/budget.py --data FOLDER --cells FILE --quick
    python benchmarks/budget.py --fast 50

The cells are those of `accuracy.py` (SET/ours/0/MINUTES), in the same file: from the folder of files to the judged
version, the wall clock of both commands, and the accuracy on test images that no run has seen. Those that are missing
are computed. --quick: one minute on steel. The marks are issue 4's: the end at most 20 % before and 5 % after the
budget, and no accuracy below that of a smaller budget by more than two standard errors.

--fast N makes the plans alone, for sets of the size of steel, signs and apple, as on a machine that trains and answers
N times as fast as this one and takes as long for everything else: `Simulated` is the one place where the speed is
changed. Marks: from three minutes on at least 60 % of the time goes into training, and every budget takes at least the
rung of this machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import platform
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Self
from unittest import mock

from accuracy import MINUTES, cell
from hostile import make_project
from sets import SETS, Cells

from sightline import config
from sightline.budget import overhead, plan
from sightline.budget.choice import choose
from sightline.budget.ladder import LADDER
from sightline.budget.overhead import Answers
from sightline.errors import ConfigError
from sightline.train import speed, speeds
from sightline.train.speed import Speed

EARLY, LATE = 0.20, 0.05
BUDGETS = (1.0, MINUTES, 10.0)
SHARE, LONG = 0.6, 3.0
"""Least share of the time for training, and the minutes from which it is asked for."""
IMAGES = {"steel": 1440, "signs": 2600, "apple": 1900}
ROLES = {"train": 0.6, "val": 0.15, "calib": 0.0, "test": 0.25}


def main() -> None:
    """Compute the cells that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="a folder with the sets")
    parser.add_argument("--cells", type=Path, default=Path("accuracy.json"), help="file of the finished cells")
    parser.add_argument("--budgets", type=float, nargs="+", default=BUDGETS, help="minutes")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--quick", action="store_true", help="one minute on steel")
    parser.add_argument("--fast", type=float, metavar="N", help="plans alone, of a machine N times as fast")
    words = parser.parse_args()
    if words.fast:
        fast(words.fast, sorted(words.budgets))
        return
    budgets, sets = ([1.0], ["steel"]) if words.quick else (sorted(words.budgets), words.sets)
    cells = Cells(words.cells)
    print(f"{platform.machine()}, {os.cpu_count()} cores")
    figures: dict[str, float] = {}
    met = True
    for of in sets:
        best, spread = 0.0, 0.0
        for minutes in budgets:
            name = f"{of}/ours/0" + ("" if minutes == MINUTES else f"/{minutes:g}")
            if name not in cells.rows:
                cells.keep(name, cell(name, words.data, words.cells.with_suffix(".work"), sys.executable))
            row = cells.rows[name]
            off, accuracy = row["seconds"] / (60 * minutes) - 1, row["accuracy"]
            error = math.sqrt(accuracy * (1 - accuracy) / row["test"])
            print(
                f"{of:6} {minutes:3g} min: {row['seconds']:4.0f} s ({off:+4.0%}), accuracy {accuracy:.3f};",
                row["plan"],
                flush=True,
            )
            met &= -EARLY <= off <= LATE and accuracy >= best - 2 * math.hypot(spread, error)
            figures |= {f"{of}_{minutes:g}m_off": off, f"{of}_{minutes:g}m_accuracy": accuracy}
            best, spread = max((best, spread), (accuracy, error))
    marks = {"earliest": -EARLY, "latest": LATE}
    print(json.dumps({"name": "budget", "figures": figures, "marks": marks, "met": met}))


def fast(times: float, budgets: list[float]) -> None:
    """Print the plans of this machine and of a simulated one."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, and the same {times:g} times as fast")
    figures: dict[str, float | str] = {}
    rungs, met = list(LADDER), True
    for of, images in IMAGES.items():
        for minutes in budgets:
            (here, _, said), (there, share, faster) = (planned(images, 60 * minutes, one) for one in (1.0, times))
            print(f"{of:6} {minutes:3g} min: {said}\n{'':15}{faster} ({share:.0%} of the time trains)", flush=True)
            met &= rungs.index(there) >= rungs.index(here) and (minutes < LONG or share >= SHARE)
            figures |= {f"{of}_{minutes:g}m_share": share, f"{of}_{minutes:g}m_rung": f"{there[0]} {there[1]}"}
    print(json.dumps({"name": "budget --fast", "figures": figures, "marks": {"share": SHARE}, "met": met}))


def planned(images: int, seconds: float, times: float) -> tuple[tuple[str, int], float, str]:
    """Rung, share of the time that trains, and the plan in words, for a set of so many images."""
    with tempfile.TemporaryDirectory() as scratch, Simulated(times) as machine:
        paths = make_project(Path(scratch))
        beside = overhead.expected(machine.runs, 0.0, images)
        learned = round(ROLES["train"] * images)
        counts = {"target": {role: round(share * images) for role, share in ROLES.items()}}

        def answering(network: str, size: int) -> float:
            return overhead.answers(machine.runs, network, size).seconds(counts["target"])

        chosen = choose(machine.runs, seconds, paths.params, {}, learned, beside, answering)
        params = config.load(paths.root, chosen)
        rung = (params.pretrain.network, params.preprocess.size)
        answers = overhead.answers(machine.runs, *rung)
        began = time.time() - beside.head
        try:
            made = plan.resolve(
                machine.runs, seconds, lambda: began + seconds - time.time(), params, counts, beside, answers
            )
        except ConfigError as error:
            # A busy machine may not hold a short budget; the plan of the faster one is looked at all the same.
            return rung, 0.0, str(error)
        trained = made.steps["scratch"] * params.finetune.scratch.batch_size / made.rates["scratch"]
        return rung, trained / seconds, made.said


class Simulated:
    """This machine, so many times as fast at training and answering: what is measured comes out so much higher.

    Nothing else is changed, and nothing of it is remembered for real runs.
    """

    runs = Path(tempfile.mkdtemp())
    """Where what this machine really measures is kept between the plans."""

    def __init__(self, times: float) -> None:
        self.times = times
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        measure, answer = speed.speed, overhead._measured  # noqa: SLF001 — what a measurement is
        self.runs = self.runs / f"{self.times:g}"

        def faster(*what: Any) -> Speed:
            found = measure(*what)
            return Speed(found.rate * self.times, found.start)

        def sooner(*what: Any) -> Answers:
            found = answer(*what)
            return Answers(plain=found.plain * self.times, corrupted=found.corrupted * self.times)

        self._stack.enter_context(mock.patch.object(speed, "speed", faster))
        self._stack.enter_context(mock.patch.object(overhead, "_measured", sooner))
        for module in (speeds, overhead):
            self._stack.enter_context(mock.patch.object(module, "machine_cache", return_value=None))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()


if __name__ == "__main__":
    main()
