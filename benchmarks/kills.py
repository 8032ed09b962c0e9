"""Kill `sightline run` at random moments, fill its disk at several sizes, and give the same command again.

    python benchmarks/kills.py [--quick] [--kills N] [--sizes N] [--seed N] [--cells FILE]

Each time a fresh copy of a tiny project is run, its whole process group killed (SIGKILL) at a moment drawn from the
time that an undisturbed run takes, and run again: the champion's weights must be those of the undisturbed run bit for
bit, with one promotion in the ledger; no process, held lock, scratch file or RUNNING entry may be left. Then the
project lies on a small disk (tmpfs; skipped where none can be mounted) that fills in the middle of the run: the command
must say so, and go on once there is space. Kills that were tried stay in the file `--cells`, if it is named, and are
not tried again while an undisturbed run ends at the same weights.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
from PIL import Image
from sets import Cells

from sightline import scaffold
from sightline.config import write_value

if TYPE_CHECKING:
    from collections.abc import Iterator

KILLS, SIZES = 200, 12
PATIENCE = 900
"""Seconds after which a command counts as one that hangs."""
GONE = 20
"""Seconds that processes have to follow a killed one."""
FULL = 90
"""Seconds within which a full disk must be told."""
FAST = {
    "project.preset": None,
    "project.deterministic": True,
    "preprocess.size": 16,
    "pretrain.network": "cnn",
    "pretrain.init": None,
    "pretrain.recipe.epochs": 3,
    "finetune.recipe.epochs": 2,
    "finetune.scratch.epochs": 4,
    "finetune.scratch.min_steps": 12,
    "finetune.scratch.learning_rate": 0.1,
    "finetune.scratch.clip": 0.0,
}
COLOURS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red": (200, 50, 40)}


@dataclass
class Trial:
    """A run that was disturbed, and what is wrong after the same command was given again."""

    what: str
    at: str
    """The last thing that the disturbed command said."""
    wrong: list[str] = field(default_factory=list)


def main() -> None:
    """Kill and fill; a table, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="20 kills and 4 sizes")
    parser.add_argument("--kills", type=int, help=f"by default {KILLS}")
    parser.add_argument("--sizes", type=int, help=f"of the disk; by default {SIZES}")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--cells", type=Path, help="keeps the kills that were tried")
    words = parser.parse_args()
    kills = words.kills if words.kills is not None else (20 if words.quick else KILLS)
    sizes = words.sizes if words.sizes is not None else (4 if words.quick else SIZES)
    with tempfile.TemporaryDirectory() as scratch:
        base, whole, work = (Path(scratch, name) for name in ("base", "whole", "work"))
        make_project(base)
        shutil.copytree(base, whole, symlinks=True)
        began = time.monotonic()
        code, said = finish(start(whole))
        seconds, weights = time.monotonic() - began, champion(whole)
        if code or len(weights) != 1:
            sys.exit(f"the undisturbed run failed:\n{said}")
        print(f"undisturbed: {seconds:.0f} s, weights {weights[0][:12]}")
        moments = random.Random(words.seed)  # noqa: S311 — the same moments each time
        cells = Cells(words.cells or Path(scratch, "cells.json"))
        trials: list[Trial] = []
        for number in range(kills):
            moment, name = seconds * moments.random(), f"{words.seed}/{weights[0][:12]}/{number}"
            if name not in cells.rows:
                cells.keep(name, asdict(kill(base, work, moment, weights)))
            trials.append(Trial(**cells.rows[name]))
        trials += fill(base, whole, Path(scratch, "disk"), sizes, weights)
    wrong = Counter(one for trial in trials for one in trial.wrong)
    figures = {
        "kills": kills,
        "disks": len(trials) - kills,
        "seconds": round(seconds, 1),
        "trials_wrong": sum(bool(trial.wrong) for trial in trials),
        "wrong": dict(wrong),
    }
    print(json.dumps({"name": "kills", "figures": figures, "marks": {"trials_wrong": 0}, "met": not wrong}))


def make_project(root: Path) -> None:
    """A project of 180 small images that trains in a second."""
    images = root.with_name("images")
    rng = np.random.default_rng(0)
    for name, colour in COLOURS.items():
        (images / name).mkdir(parents=True)
        for number in range(60):
            pixels = rng.integers(0, 90, (24, 24, 3))
            top, left = rng.integers(2, 12, 2)
            pixels[top : top + 8, left : left + 8] = colour
            Image.fromarray(pixels.astype(np.uint8)).save(images / name / f"{number:02d}.png")
    scaffold.init(root, str(images), None, "toy", lambda _: None)
    for key, value in FAST.items():
        write_value(root, key, value)


def start(root: Path) -> subprocess.Popen[str]:
    """`sightline run` in a process group of its own."""
    words = [sys.executable, "-P", "-m", "flows.cli", "run"]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        words, cwd=root, text=True, stdout=pipe, stderr=subprocess.STDOUT, start_new_session=True, errors="replace"
    )


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status and output; -1 where it hangs."""
    try:
        said = process.communicate(timeout=PATIENCE)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return -1, process.communicate()[0]
    return process.returncode, said


def kill(base: Path, root: Path, moment: float, weights: list[str]) -> Trial:
    """Kill a run after so many seconds, or after half of them where it has ended before, and run it again."""
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(base, root, symlinks=True)
    process = start(root)
    with suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=moment)
        return kill(base, root, moment / 2, weights)
    os.killpg(process.pid, signal.SIGKILL)
    trial = Trial(f"killed after {moment:.1f} s", last(finish(process)[1]))
    if left := processes(root):
        trial.wrong.append(f"process left by the kill: {left}")
    again(trial, root, weights)
    return trial


def again(trial: Trial, root: Path, weights: list[str]) -> None:
    """Give the command again, and note what is wrong then."""
    code, said = finish(start(root))
    if code or "Traceback" in said:
        trial.wrong.append(f"run again: exit status {code}, {last(said)}")
    if (found := champion(root)) != weights:
        trial.wrong.append(f"{len(found)} promotions" if len(found) != len(weights) else "other weights")
    trial.wrong += [f"{name} is RUNNING" for name in running(root)]
    trial.wrong += [f"left: {name}" for name in locked(root)]
    if left := processes(root):
        trial.wrong.append(f"process left: {left}")
    print(f"{trial.what:24} {trial.at[:60]:60} {'; '.join(trial.wrong) or 'well'}", flush=True)


def last(said: str) -> str:
    """The last line of what was said."""
    return (said.strip().splitlines() or [""])[-1].strip()


def champion(root: Path) -> list[str]:
    """Digest of the weights of each promotion."""
    rows = query(root / "mlflow" / "ledger.db", "select evidence from promotions where decision = 'promoted'")
    return [json.loads(evidence)["bound"]["weights"] for (evidence,) in rows]


def running(root: Path) -> list[str]:
    """Runs that MLflow or Prefect takes for being at work."""
    mlflow = query(root / "mlflow" / "mlflow.db", "select 'MLflow run ' || name from runs where status = 'RUNNING'")
    over = "('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED')"
    prefect = [
        row
        for kind in ("flow", "task")
        for row in query(
            root / ".prefect" / "prefect.db",
            f"select 'Prefect {kind} run ' || name from {kind}_run where state_type not in {over}",  # noqa: S608
        )
    ]
    return [name for (name,) in [*mlflow, *prefect]]


def query(database: Path, words: str) -> list[tuple[str]]:
    """Rows of a database; none where it is not there."""
    if not database.is_file():
        return []
    with closing(sqlite3.connect(database)) as store, suppress(sqlite3.OperationalError):
        return list(store.execute(words))
    return []


def locked(root: Path) -> list[str]:
    """Locks that somebody holds, and files that a writer has not finished."""
    held = []
    for place in root.rglob("*lock"):
        with place.open("rb") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                held.append(place.name)
    busy = root / ".dvc" / "tmp" / "rwlock"
    if busy.is_file() and any((json.loads(busy.read_text(encoding="utf-8") or "{}")).values()):
        held.append("DVC's rwlock")
    commands = root / ".prefect" / "commands"
    unfinished = [*root.rglob(".*.tmp"), *root.rglob("draft.db*"), *commands.glob("*")]
    return held + [str(place.relative_to(root)) for place in unfinished]


def processes(root: Path) -> str:
    """Command of a process that works in the project and does not end soon; empty where there is none."""
    deadline = time.monotonic() + GONE
    while found := [one for one in psutil.process_iter() if _is_at(one, root)]:
        if time.monotonic() > deadline:
            with suppress(psutil.Error):
                return " ".join(found[0].cmdline())[:80]
        time.sleep(0.2)
    return ""


def _is_at(process: psutil.Process, root: Path) -> bool:
    try:
        return Path(process.cwd()).is_relative_to(root) and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def fill(base: Path, whole: Path, disk: Path, sizes: int, weights: list[str]) -> list[Trial]:
    """Run the project on disks that fill at so many points between its size before and after a run."""
    first, end = (sum(one.stat().st_blocks for one in root.rglob("*")) * 512 for root in (base, whole))
    trials: list[Trial] = []
    for number in range(sizes):
        size = int(first + (end - first) * (number + 0.5) / sizes)
        with mounted(disk, size) as there:
            if not there:
                print("no disk can be mounted here: its filling up is not tried")
                return trials
            trials.append(fill_once(base, disk / "project", size, weights))
    return trials


def fill_once(base: Path, root: Path, size: int, weights: list[str]) -> Trial:
    """Run on a full disk, then on one with space."""
    shutil.copytree(base, root, symlinks=True)
    began = time.monotonic()
    code, said = finish(start(root))
    seconds = time.monotonic() - began
    trial = Trial(f"disk of {size / 2**20:.1f} MiB", last(said))
    if code in {0, -1} or "Traceback" in said or f"the disk is full: {root}" not in said:
        trial.wrong.append(f"full disk: exit status {code}, {last(said)}")
    if seconds > FULL:
        trial.wrong.append(f"told after {seconds:.0f} s")
    subprocess.run(["mount", "-o", "remount,size=1g", str(root.parent)], check=True)
    again(trial, root, weights)
    return trial


@contextmanager
def mounted(disk: Path, size: int) -> Iterator[bool]:
    """A disk of so many bytes at `disk`; whether there could be one."""
    disk.mkdir(exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "sightline", str(disk)]
    try:
        done = subprocess.run(words, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        done = False
    try:
        yield done
    finally:
        if done:
            subprocess.run(["umount", "-l", str(disk)], check=True)


if __name__ == "__main__":
    main()
