"""Whether `sightline run --budget` ends inside its budget, and what more time brings.

    python benchmarks/budget.py --data FOLDER --cells accuracy.json [--budgets 1 3 10] [--sets steel signs apple]
    python benchmarks/budget.py --data FOLDER --cells FILE --quick

The cells are those of `accuracy.py` (SET/ours/0/MINUTES), in the same file: from the folder of files to the judged
version, the wall clock of both commands, and the accuracy on test images that no run has seen. Those that are missing
are computed. --quick: one minute on steel. The marks are issue 4's: the end at most 20 % before and 5 % after the
budget, and no accuracy below that of a smaller budget by more than two standard errors.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
from pathlib import Path

from accuracy import MINUTES, cell
from sets import SETS, Cells

EARLY, LATE = 0.20, 0.05
BUDGETS = (1.0, MINUTES, 10.0)


def main() -> None:
    """Compute the cells that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="a folder with the sets")
    parser.add_argument("--cells", type=Path, default=Path("accuracy.json"), help="file of the finished cells")
    parser.add_argument("--budgets", type=float, nargs="+", default=BUDGETS, help="minutes")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--quick", action="store_true", help="one minute on steel")
    words = parser.parse_args()
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


if __name__ == "__main__":
    main()
