"""Whether `sightline run --budget` ends inside its budget, and what more time brings.

    python benchmarks/budget.py IMAGES… [--budgets 1m 3m 10m] [--quick]

Each folder of class folders becomes a new project for each budget, and the command runs in it as a user's would. The
time is the wall clock of the whole command. --quick: one minute on the embedded digits. The marks are issue 4's: the
end at most 20 % before and 5 % after the budget, and no accuracy below that of a smaller budget by more than two
standard errors.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sightline import scaffold
from sightline.train.budget import seconds_of

EARLY, LATE = 0.20, 0.05
ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Run each budget on each data set and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", nargs="*", help="folders of class folders")
    parser.add_argument("--budgets", nargs="+", default=["1m", "3m", "10m"])
    parser.add_argument("--quick", action="store_true", help="the embedded digits within one minute")
    words = parser.parse_args()
    if words.quick:
        words.images, words.budgets = ["embedded:digits"], ["1m"]
    if not words.images:
        parser.error("name at least one folder of class folders, or take --quick")
    print(f"{platform.machine()}, {os.cpu_count()} cores")
    figures: dict[str, float] = {}
    met = True
    for images in words.images:
        best, spread = 0.0, 0.0
        for budget in sorted(words.budgets, key=seconds_of):
            row = one(images, budget)
            name = f"{Path(images).name}_{budget}"
            met &= -EARLY <= row["off"] <= LATE and row["accuracy"] >= best - 2 * math.hypot(spread, row["error"])
            figures |= {f"{name}_off": row["off"], f"{name}_accuracy": row["accuracy"]}
            best, spread = max((best, spread), (row["accuracy"], row["error"]))
    marks = {"earliest": -EARLY, "latest": LATE}
    print(json.dumps({"name": "budget", "figures": figures, "marks": marks, "met": met}))


def one(images: str, budget: str) -> dict[str, float]:
    """One command in a new project: how far its end is off the budget, and its test accuracy."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        scaffold.init(project, images, None, None, lambda _: None)
        path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        command = [sys.executable, "-m", "flows.cli", "run", "--budget", budget, "--json"]
        started = time.perf_counter()
        done = subprocess.run(
            command, cwd=project, env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, text=True, check=True
        )
        seconds = time.perf_counter() - started
        plans = [json.loads(file.read_text()) for file in (project / "runs" / "plans").glob("*.json")]
    said = next(plan["said"] for plan in plans if "said" in plan)
    chosen = next(score for score in json.loads(done.stdout.splitlines()[-1])["scores"] if score["chosen"])
    off = seconds / seconds_of(budget) - 1
    print(
        f"{images}: {budget} took {seconds:.0f} s ({off:+.0%}), accuracy {chosen['accuracy']:.3f}; {said}", flush=True
    )
    # The 95 % interval is about four standard errors wide.
    return {"off": off, "accuracy": chosen["accuracy"], "error": (chosen["high"] - chosen["low"]) / 4}


if __name__ == "__main__":
    main()
