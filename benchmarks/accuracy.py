"""Accuracy in a fixed time, from the folder of files, beside timm and torchvision's reference recipe.

    python benchmarks/accuracy.py --data FOLDER --cells FILE --cell SET/METHOD/SALT[/MINUTES] [--peer PYTHON]
    python benchmarks/accuracy.py --cells FILE --report
    python benchmarks/accuracy.py --data FOLDER --cells FILE --quick

SET is steel, signs or apple, METHOD ours, backbone (ours from a backbone pretrained on Tiny ImageNet, whose own time
is told apart), timm, torchvision, or fast, balanced or best: the presets, which take the time that they take. SALT 0,
1 or 2 draws the test images by the hash of their group, the same for all methods; MINUTES are 3, or 10. `--peer` is
the python of an environment made with `pip install timm`. The clock starts with the folder of files, and reading,
planning and training fall into it; everybody's test images are judged afterwards. --quick: one second for a peer and
few steps for ours, to see that everything works.

The marks are issue 4's: the paired lead over the better peer has a lower 95 % bound above 0 on steel and signs, and is
not negative on apple.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sets import (
    NETWORK,
    PIXELS,
    PRETRAIN,
    SETS,
    Cells,
    Listed,
    backbone,
    files_of,
    lead,
    listed,
    source,
    weights_of,
    write_table,
)

from sightline import scaffold

ROOT = Path(__file__).resolve().parents[1]
OURS, PEERS = ("ours", "backbone"), ("timm", "torchvision")
PRESETS = ("fast", "balanced", "best")
SALTS = (0, 1, 2)
MINUTES, LONG = 3.0, 10.0


def main() -> None:
    """Compute one cell, or the small ones of --quick, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="steel, ours and torchvision, a few steps")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="a folder with the sets")
    parser.add_argument("--cells", type=Path, default=Path("accuracy.json"), help="file of the finished cells")
    parser.add_argument("--work", type=Path, help="folder of the backbone")
    parser.add_argument("--cell", help="SET/METHOD/SALT or SET/METHOD/SALT/MINUTES")
    parser.add_argument("--peer", default=sys.executable, help="python of an environment with timm and torchvision")
    parser.add_argument("--report", action="store_true", help="print the table")
    words = parser.parse_args()
    cells = Cells(words.cells)
    work = words.work or words.cells.with_suffix(".work")
    wanted = ["steel/torchvision/0/0.02", "steel/ours/0/0.02"] if words.quick else [words.cell] if words.cell else []
    for name in wanted:
        if name not in cells.rows:
            cells.keep(name, cell(name, words.data, work, words.peer))
        print(name, json.dumps(cells.rows[name]), flush=True)
    if words.report or words.quick:
        report(cells)


def cell(name: str, data: Path, work: Path, peer: str) -> dict[str, Any]:
    """Accuracy and seconds of one method on one draw."""
    of, method, salt, *minutes = name.split("/")
    seconds = 60 * float(minutes[0]) if minutes else 60 * MINUTES
    methods = OURS + PEERS + PRESETS
    if of not in SETS or method not in methods:
        raise SystemExit(f"--cell {name}: SET is one of {', '.join(SETS)}, METHOD one of {', '.join(methods)}")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        images, files = files_of(of, data, folder / "unpacked")
        rows = listed(files, int(salt))
        flip = of != "signs"
        if method in PEERS:
            return theirs(method, images, rows, seconds, folder, peer, flip=flip)
        write_table(images, rows)
        # Some signs have so few tracks that a role goes without.
        settings = [f"project.seed={salt}", "validate.min_images_per_class=0"]
        settings += [f"{key}.flip={str(flip).lower()}" for key in FLIPS]
        told: dict[str, Any] = {}
        if method in PRESETS:
            settings.append(f"project.preset={method}")
            seconds = math.inf
        if method == "backbone":
            work.mkdir(parents=True, exist_ok=True)
            paths = source("source", data, work, PIXELS)
            trained = backbone(paths, NETWORK, PRETRAIN)
            settings += [f"pretrain.init={weights_of(paths, trained)}", f"pretrain.network={NETWORK}"]
            told = {"backbone_seconds": trained.seconds, "backbone_accuracy": trained.val_accuracy}
        return ours(images, rows, seconds, folder / "project", settings) | told


FLIPS = ("pretrain.recipe", "finetune.recipe", "finetune.scratch")


def ours(images: Path, rows: list[Listed], seconds: float, project: Path, settings: list[str]) -> dict[str, Any]:
    """`sightline init`, then `sightline run` with what is left of the time; then all test images are asked.

    With endless `seconds` it takes the time that it takes.
    """
    started = time.perf_counter()
    scaffold.init(project, str(images), None, None, lambda _: None)
    left = seconds - (time.perf_counter() - started)
    if left <= 30:  # miniatures are shorter than any plan
        settings = [*settings, "finetune.scratch.steps=4"]
    budget = ["--budget", f"{left:.0f}s"] if 30 < left < math.inf else []
    sightline("run", *budget, *(word for setting in settings for word in ("--set", setting)), folder=project)
    took = time.perf_counter() - started
    test = [one for one in rows if one.split == "test"]
    paths = [str(project / "data" / "raw" / "target" / one.path) for one in test]
    answers = json.loads(sightline("predict", "--json", "--version", "1", *paths, folder=project))
    right = sum(one.get("label") == listed.label for one, listed in zip(answers, test, strict=True))
    plans = [json.loads(file.read_text()) for file in (project / "runs" / "plans").glob("*.json")]
    said = next((plan["said"] for plan in plans if "said" in plan), "")
    return {"accuracy": right / len(test), "seconds": took, "test": len(test), "plan": said}


def sightline(*command: str, folder: Path) -> str:
    """A command of ours in a project, as a user's; its last line."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "flows.cli", *command],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return (done.stdout.strip().splitlines() or [""])[-1]


def environment() -> dict[str, str]:
    """Ours, with this checkout to import from."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


def theirs(
    method: str, images: Path, rows: list[Listed], seconds: float, folder: Path, peer: str, *, flip: bool
) -> dict[str, Any]:
    """A peer on class folders train, val and test; making those is not on its clock."""
    sides = folder / "sides"
    for side in ("train", "test"):
        for label in sorted({one.label for one in rows}):
            (sides / side / label).mkdir(parents=True)
    for one in rows:
        # It needs no validation images, so they are a gift to it.
        side = "test" if one.split == "test" else "train"
        shutil.copyfile(images / one.path, sides / side / one.label / one.path.replace("/", "_"))
    script = Path(__file__).with_name("accuracy_peer.py")
    # At the size of the backbone; ours is planned from the budget.
    command = [peer, str(script), method, str(sides), str(seconds), str(PIXELS), "1" if flip else "0"]
    done = subprocess.run(command, env=environment(), stdout=subprocess.PIPE, text=True, check=True)
    row: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return row


def report(cells: Cells) -> None:
    """Every set's accuracies over the salts and the paired leads over the better peer."""
    print(f"\n{platform.machine()}, {os.cpu_count()} cores")
    figures: dict[str, float] = {}
    met = True
    for of, minutes in [*((of, MINUTES) for of in SETS), ("steel", LONG)]:
        tail = "" if minutes == MINUTES else f"/{minutes:g}"
        values = {
            method: [
                cells.rows[f"{of}/{method}/{salt}{tail}"]["accuracy"]
                for salt in SALTS
                if f"{of}/{method}/{salt}{tail}" in cells.rows
            ]
            for method in OURS + PEERS
        }
        for method, row in values.items():
            if row:
                figures[f"{of}_{minutes:g}m_{method}"] = sum(row) / len(row)
                print(f"{of:6} {minutes:3g} min  {method:12}", *(f"{one:.3f}" for one in row))
        whole = all(len(values[method]) == len(SALTS) for method in (OURS[0], *PEERS))
        if whole:
            better = max(PEERS, key=lambda method: sum(values[method]))
            mean, bound = lead(values[OURS[0]], values[better])
            figures |= {f"{of}_{minutes:g}m_lead": mean, f"{of}_{minutes:g}m_bound": bound}
            print(f"{of:6} {minutes:3g} min  lead over {better} {mean:+.3f}, lower bound {bound:+.3f}")
        if minutes == MINUTES:
            met &= whole and (mean >= 0 if of == "apple" else bound > 0)
    for name, one in cells.rows.items():
        of, method, salt = name.split("/")[:3]
        if method in PRESETS:
            figures |= {f"{of}_{method}_{salt}": one["accuracy"], f"{of}_{method}_{salt}_seconds": one["seconds"]}
            print(f"{of:6} preset {method:8} salt {salt}: {one['accuracy']:.3f} in {one['seconds']:.0f} s")
    marks = {"steel_bound": 0, "signs_bound": 0, "apple_lead": 0}
    print(json.dumps({"name": "accuracy", "figures": figures, "marks": marks, "met": met}))


if __name__ == "__main__":
    main()
