"""How long nothing is to be seen on a terminal, of each command of the README on the demonstration.

    python benchmarks/silence.py [--project FOLDER] [--only WORD…] [--quick]

The demonstration is made and run first, and watched too, unless `--project` names one that has a champion; the commands
run in a copy of it. `silence` is the longest time between two signs, from the start on and to the end. The mark is two
seconds, and half of one for the clock: on a busy machine Python alone starts more slowly, so the load stands above.
--quick: commands that train and search nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import tempfile
from pathlib import Path

from terminal import Watched, watch

MARKS = {"longest_silence_s": 2.5}
SHORT = (
    "--help",
    "predict {photo}",
    "predict {folder} --csv",
    "history",
    "lineage",
    "impact {photo}",
    "doctor",
    "doctor --deep",
    "verify",
    "report",
    "data log",
    "data status",
    "data quality",
    "data save -m silence",
    "data label export todo.csv --all --suggest",
    "monitor",
    "why-retrain",
    "capture log",
    "score {folder} --out answers.parquet",
    "run",
)
LONG = (
    "evaluate",
    "export out --format onnx",
    "promote 1 --reason silence",
    "run --set finetune.recipe.epochs=2",
    "data add {folder}",
    "reproduce 1",
    "tune --trials 1",
)


def main() -> None:
    """Watch the commands and print the longest silence of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, help="a demonstration that was run")
    parser.add_argument("--only", nargs="+", default=[], metavar="WORD", help="commands with this word alone")
    parser.add_argument("--quick", action="store_true", help="short commands alone")
    asked = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    seen: dict[str, Watched] = {}
    with tempfile.TemporaryDirectory() as name:
        demo = Path(name) / "demo"
        if asked.project:
            shutil.copytree(asked.project, demo, symlinks=True)
        else:
            seen["init demo"] = told("init demo", watch(Path(name), "init", "demo"))
            seen["run, the first"] = told("run, the first", watch(demo, "run"))
        photo = next((demo / "data" / "raw" / "target").rglob("*.png"))
        folder = Path(shutil.copytree(photo.parent, Path(name) / "more" / photo.parent.name)).parent
        for command in SHORT if asked.quick else (*SHORT, *LONG):
            words = command.format(photo=photo, folder=folder).split()
            if not asked.only or set(asked.only) & set(words):
                seen[command] = told(command, watch(demo, *words))
    longest = max(seen, key=lambda one: seen[one].silence)
    figures = {
        "commands": len(seen),
        "longest_silence_s": round(seen[longest].silence, 2),
        "of": longest,
        "failed": [one for one, watched in seen.items() if watched.status],
    }
    met = seen[longest].silence <= MARKS["longest_silence_s"]
    print(json.dumps({"name": "silence", "figures": figures, "marks": MARKS, "met": met}))


def told(command: str, watched: Watched) -> Watched:
    """A line about what was seen."""
    status = f"  status {watched.status}: {watched.said.strip()[-200:]}" if watched.status else ""
    print(
        f"silence {watched.silence:5.2f} s of {watched.wall:7.2f} s, {watched.cpu:6.2f} CPU s  {command}{status}",
        flush=True,
    )
    return watched


if __name__ == "__main__":
    main()
