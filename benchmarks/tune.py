"""What a search for better values is worth: the recipe that it finds beside the preset, in the same training time.

    python benchmarks/tune.py --data FOLDER --cells tune.json [--sets steel signs] [--minutes 20] [--salts 21 22]
    python benchmarks/tune.py --data FOLDER --cells tune.json --quick

On one draw (salt 20) of each set `sightline init` and `sightline tune --budget` search around the preset `balanced`, on
half-length trainings. On two other draws preset and found recipe are trained for the same time, three seeds each, and
judged on the *test* images, which nobody has seen. In the middle the search is killed by SIGKILL once and must go on.
Finished cells stay in the file. --quick: steel, four trials at 32 px of a preset of a few steps, one draw, one seed.

Marks: the mean lead is above 0 and its lower 95 % bound above -.002.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accuracy import environment
from sets import SETS, Cells, files_of, lead, listed, place, project, write_table

from sightline import config, scaffold
from sightline.data.loader import load_any
from sightline.digests import digest_of
from sightline.heads import known
from sightline.train import stages
from sightline.train.inference import predict

if TYPE_CHECKING:
    from sightline.project import Paths

SEARCHED = 20
LEAST = -0.002
SHORT = {"preprocess.size": 32, "finetune.scratch.min_steps": 40, "finetune.scratch.epochs": 1}


def main() -> None:
    """Compute the cells that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="a folder with the sets")
    parser.add_argument("--cells", type=Path, default=Path("tune.json"), help="file of the finished cells")
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=["steel", "signs"])
    parser.add_argument("--minutes", type=float, default=20.0, help="of the search")
    parser.add_argument("--salts", type=int, nargs="+", default=[21, 22])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="steel, four trials, one draw, one seed")
    words = parser.parse_args()
    sets, salts, seeds = (["steel"], [21], [0]) if words.quick else (words.sets, words.salts, words.seeds)
    how = ["--trials", "4"] if words.quick else ["--budget", f"{words.minutes:g}m"]
    given = SHORT if words.quick else {}
    cells = Cells(words.cells)
    print(f"{platform.machine()}, {os.cpu_count()} cores")
    differences: list[tuple[float, float]] = []
    for of in sets:
        name = f"{of}/search/{' '.join(how)}"
        if name not in cells.rows:
            cells.keep(name, searched(of, words.data, how, given))
        found = cells.rows[name]
        print(
            f"{of}: {found['sentence']}; killed once, {found['before_kill']} trials then\n  {found['words']}",
            flush=True,
        )
        ways: tuple[dict[str, Any], dict[str, Any]] = (found["values"], {})
        for salt in salts:
            for seed in seeds:
                pair = [trained(cells, of, salt, seed, {**given, **values}, words.data) for values in ways]
                differences.append((pair[0], pair[1]))
                print(f"{of}, salt {salt}, seed {seed}: found {pair[0]:.3f}, preset {pair[1]:.3f}", flush=True)
    ours, theirs = zip(*differences, strict=True)
    mean, low = lead(ours, theirs)
    figures = {"found": sum(ours) / len(ours), "preset": sum(theirs) / len(theirs), "lead": mean, "lead_low": low}
    met = mean > 0 and (low > LEAST or words.quick)
    print(json.dumps({"name": "tune", "figures": figures, "marks": {"lead": 0.0, "lead_low": LEAST}, "met": met}))


def searched(of: str, data: Path, how: list[str], given: dict[str, Any]) -> dict[str, Any]:
    """What the search finds in a project around one draw; killed once on its way."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        images, files = files_of(of, data, folder / "unpacked")
        write_table(images, listed(files, SEARCHED))
        home = folder / "project"
        scaffold.init(home, str(images), None, None, lambda _: None)
        settings = {"validate.min_images_per_class": 0, "finetune.scratch.flip": of != "signs", **given}
        words = [word for key, value in settings.items() for word in ("--set", f"{key}={json.dumps(value)}")]
        command = [sys.executable, "-P", "-m", "flows.cli", "tune", "--json", *how, *words]
        began = time.monotonic()
        first = subprocess.Popen(
            command, cwd=home, env=environment(), stdout=subprocess.DEVNULL, start_new_session=True
        )
        store = home / "runs" / "tune" / "study.db"
        while first.poll() is None and ended(store) < 2:
            time.sleep(1)
        before = ended(store)
        with suppress(ProcessLookupError):
            os.killpg(first.pid, signal.SIGKILL)
        first.wait()
        if how[0] == "--budget":
            left = max(60.0, float(how[1].removesuffix("m")) * 60 - (time.monotonic() - began))
            command[command.index(how[1])] = f"{left:.0f}s"
        done = subprocess.run(command, cwd=home, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
        told: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        if told["trials"] <= before:
            raise SystemExit(f"{of}: after the kill the study did not go on")
        return {**{key: told[key] for key in ("sentence", "values", "words", "trials")}, "before_kill": before}


def ended(store: Path) -> int:
    """Trials that are over in the store; none where there is no store yet."""
    try:
        with closing(sqlite3.connect(f"{store.as_uri()}?mode=ro", uri=True, timeout=30)) as opened:
            query = "SELECT count(*) FROM trials WHERE state IN ('COMPLETE', 'PRUNED')"
            return int(opened.execute(query).fetchone()[0])
    except sqlite3.Error:
        return 0


def trained(cells: Cells, of: str, salt: int, seed: int, values: dict[str, Any], data: Path) -> float:
    """Test accuracy of the preset with these values on a draw."""
    name = f"{of}/{salt}/{seed}/{digest_of(values)[:8]}"
    if name not in cells.rows:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            images, files = files_of(of, data, folder / "unpacked")
            write_table(images, listed(files, salt))
            preset = {"project.preset": "balanced", "finetune.scratch": {"flip": of != "signs"}}
            defaults = {"preprocess.size": 64, "pretrain.network": "cnn"}
            params = configured(folder, {**defaults, **preset}, values)
            paths = project(folder / "project", images, params.preprocess.size)
            made = stages.scratch(place(paths, "scratch"), params.pretrain.network, params.finetune.scratch, seed)
            test = load_any(paths.shards("target"), "test")
            _, accuracy = known.of(test.task).rated(predict(made.load(paths.root), test.pixels), test.labels)
            cells.keep(name, {"accuracy": accuracy, "seconds": made.seconds, "test": len(test), "values": values})
    return float(cells.rows[name]["accuracy"])


def configured(folder: Path, written: dict[str, Any], values: dict[str, Any]) -> Any:
    """The values of a project around own images, as `sightline run` would take them."""
    from hostile import make_project

    home = folder / "values"
    home.mkdir()
    paths: Paths = make_project(home)
    for key, value in written.items():
        config.write_value(paths.root, key, value)
    config.write_value(paths.root, "pretrain.recipe", {"flip": True})
    config.write_value(paths.root, "finetune.recipe", {"flip": True})
    params = config.load(paths.root, values)
    shutil.rmtree(home)
    return params


if __name__ == "__main__":
    main()
