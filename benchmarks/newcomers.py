"""How often a newcomer's first run ends with a champion: `sightline init`, `sightline run`, nothing set but the seed.

    python benchmarks/newcomers.py --data FOLDER --cells FILE [--seeds N] [--sets NAME…] [--report]

Each run is kept in FILE, so that the benchmark goes on where it was cut off. The mark is issue 20's: all of them.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from sets import DIGITS, SETS, Cells, files_of

SEEDS = 5


def main() -> None:
    """Run what is not kept yet, print a line for each run, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the real sets")
    parser.add_argument("--cells", type=Path, required=True, help="JSON file of the finished runs")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--sets", nargs="+", choices=[*SETS, DIGITS], default=[*SETS, DIGITS])
    parser.add_argument("--report", action="store_true", help="tell what is kept, run nothing")
    words = parser.parse_args()
    cells = Cells(words.cells)
    if not words.report:
        with tempfile.TemporaryDirectory() as home:
            for seed in range(words.seeds):
                for name in words.sets:
                    if f"{name}/{seed}" not in cells.rows:
                        cells.keep(f"{name}/{seed}", first(name, words.data, Path(home), seed))
    print("run        champion  accuracy  refused by")
    for cell, row in sorted(cells.rows.items()):
        print(f"{cell:10} {row['champion']!s:8}  {row['accuracy']:.3f}     {', '.join(row['refused']) or '-'}")
    champions = sum(row["champion"] is not None for row in cells.rows.values())
    figures = {"champions": champions, "runs": len(cells.rows)}
    print(json.dumps({"name": "newcomers", "figures": figures, "met": champions == len(cells.rows)}))


def first(name: str, data: Path, home: Path, seed: int) -> dict[str, Any]:
    """A project around a set and its first run."""
    given = ["--images", str(files_of(name, data, home / "sets" / name)[0])] if name != DIGITS else []
    root = home / f"{name}{seed}"
    sightline(home, "init", str(root), *given)
    told = json.loads(sightline(root, "run", "--set", f"project.seed={seed}", "--json"))
    blessings = told["outcome"]["blessings"]
    return {
        "champion": told["outcome"]["champion"],
        "accuracy": next(score["accuracy"] for score in told["scores"] if score["chosen"]),
        "refused": [one["name"] for one in blessings if one["verdict"] not in {"passed", "not applicable"}],
    }


def sightline(folder: Path, *words: str) -> str:
    """One command; what it printed."""
    command = [sys.executable, "-P", "-m", "flows.cli", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"sightline {' '.join(words)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
