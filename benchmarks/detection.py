"""How well boxes are found after ten minutes, on the official split of the blood cells.

    python benchmarks/detection.py [--data FOLDER] [--minutes 10 | --steps N] [--backbone FILE] [--peers PYTHON]
                                   [--cells FILE]
    python benchmarks/detection.py --quick

The production parts: annotations, letterbox, augmentation, detector, loop and average precision. `--data` holds the
set as FOLDER/detection_blood_cells/detection_blood_cells.tar. All of our runs take the same steps: as many as the first
ones say fit into what the reading of the images leaves of the minutes; their whole seconds are told. Networks begin at
random, and, where `--backbone` names weights of `--network`, from those too. `--steps` are taken instead where other
work shares the machine; processor seconds are told beside the clock's. Figures are of the official val images,
which nothing is chosen by, in pixels of the images. Beside it, where `--peers` names a python that has Ultralytics:
its smallest network by its own defaults, and torchvision's reference recipe (`detection_peer.py`), from scratch in the
same minutes. Runs that are finished stay in the file `--cells`, if it is named, and are not made again. The marks: the
lower 95 % bound (t over the seeds) of the lead in mAP 50 over each is above 0.
--quick: one seed, one minute, small squares.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from quality_planted import unpack
from scipy.stats import t
from sets import Cells

from sightline.data.annotations import read
from sightline.data.annotations.conversion import write
from sightline.data.annotations.pixels import located, moved
from sightline.heads.matching import SIZES, match, precision
from sightline.models import zoo
from sightline.models.beginning import begin_from
from sightline.models.detector import build
from sightline.recipe import Recipe
from sightline.train.checkpoint import Checkpoint
from sightline.train.inference import predict
from sightline.train.loop import train

if TYPE_CHECKING:
    from torch import nn

    from sightline.data.annotations.table import Annotations
    from sightline.data.loader import Images
    from sightline.images.boxes import Floats
    from sightline.images.placement import Placement

SET = "detection_blood_cells"
PEERS = ("torchvision", "ultralytics")
SEEDS = 3
RECIPE = Recipe(
    epochs=1,
    batch_size=8,
    optimiser="adamw",
    learning_rate=0.002,
    weight_decay=0.02,
    warmup=0.1,
    zoom=0.4,
    ema=0.99,
    clip=10.0,
)
TRIED = 10
"""Steps by which it is told how long one takes."""


@dataclass(frozen=True)
class Held:
    """The val images, how they lie in their squares, and their boxes."""

    images: Images
    placements: list[Placement]
    truth: list[Floats]


def main() -> None:
    """Train and score each way with each seed, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed, one minute, squares of 192 px")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="a folder with the set")
    parser.add_argument("--minutes", type=float, default=10.0, help="of a run")
    parser.add_argument("--steps", type=int, default=0, help="so many, however long they take")
    parser.add_argument("--size", type=int, default=320, help="side of the squares, pixels")
    parser.add_argument("--network", default="cnn", help="whose backbone is under the pyramid")
    parser.add_argument("--backbone", type=Path, help="a file of its weights")
    parser.add_argument("--peers", help="python of an environment with Ultralytics; other trainers are run as well")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--cells", type=Path, help="keeps the runs that are finished; for the same other words only")
    words = parser.parse_args()
    size, minutes, seeds = (192, 1.0, 1) if words.quick else (words.size, words.minutes, words.seeds)
    with tempfile.TemporaryDirectory() as scratch:
        folder = unpack(words.data / SET, Path(scratch)).folder
        began = time.perf_counter()
        found = read(folder)
        images, _, _ = located(found, folder, size, lambda image: image.split == "train")
        read_in = time.perf_counter() - began
        held = Held(*located(found, folder, size, lambda image: image.split == "val"))
        starts: dict[str, Path | None] = {"scratch": None}
        if words.backbone:
            starts["backbone"] = words.backbone.resolve()
        names = [*starts, *(PEERS if words.peers else ())]
        cells = Cells(words.cells or Path(scratch, "cells.json"))
        if "steps" not in cells.rows:
            fitting = words.steps or steps_in(minutes * 60 - read_in, words.network, images, size, Path(scratch))
            cells.keep("steps", {"steps": fitting})
        steps = cells.rows["steps"]["steps"]
        for seed, name in itertools.product(range(seeds), names):
            if f"{name}/{seed}" in cells.rows:
                continue
            if name in starts:
                row = one(images, held, words.network, starts[name], size, steps, seed, Path(scratch))
            else:
                row = peer(name, words.peers, found, folder, held, minutes * 60, seed, Path(scratch))
            cells.keep(f"{name}/{seed}", row)
            print(f"{name}, seed {seed}: {json.dumps(row)}", flush=True)
    report({name: [cells.rows[f"{name}/{seed}"] for seed in range(seeds)] for name in names}, words.network, size)


def one(
    images: Images, held: Held, network: str, start: Path | None, size: int, steps: int, seed: int, scratch: Path
) -> dict[str, Any]:
    """Figures of one run on the val images."""
    began, cpu = time.perf_counter(), time.process_time()
    nothing = replace(images, pixels=images.pixels[:0], labels=images.labels[:0])
    recipe = replace(RECIPE, steps=steps)
    model = fresh(network, start, images, size, seed)
    place = scratch / "run.pt"
    history = train(model, images, nothing, recipe, seed, Checkpoint(place), told)
    # The next one would go on from it.
    place.unlink(missing_ok=True)
    took, used = time.perf_counter() - began, time.process_time() - cpu
    return {
        **scored(model, held),
        "steps": recipe.steps,
        "train_loss": history[-1].train_loss,
        "seconds": took,
        "cpu_seconds": used,
    }


def told(epoch: Any) -> None:
    """A line for each report."""
    print(f"  pass {epoch.epoch} of {epoch.epochs}: loss {epoch.train_loss:.3f}", flush=True)


def fresh(network: str, start: Path | str | None, images: Images, size: int, seed: int) -> nn.Module:
    """A detector that has learned nothing but what `start` holds."""
    torch.manual_seed(seed)
    model = build(network, len(images.classes), size)
    if start is not None:
        given = zoo.build(network, 1, size)
        zoo.load_init(given, str(start), network)
        begin_from(model.backbone, given.backbone.state_dict(), size)
    return model


def steps_in(seconds: float, network: str, images: Images, size: int, scratch: Path) -> int:
    """How many fit into these seconds, by a few that are thrown away."""
    path = scratch / "tried.pt"
    nothing = replace(images, pixels=images.pixels[:0], labels=images.labels[:0])
    model = fresh(network, None, images, size, 0)
    times = []
    for steps in (1, TRIED):
        began = time.perf_counter()
        train(model, images, nothing, replace(RECIPE, steps=steps), 0, Checkpoint(path), lambda _: None)
        times.append(time.perf_counter() - began)
        path.unlink(missing_ok=True)
    return max(TRIED, int(seconds * TRIED / times[1]))


def scored(model: nn.Module, held: Held) -> dict[str, Any]:
    """Average precisions of the answers, back in the pixels of the images."""
    answers = predict(model, held.images.pixels).numpy()
    back = [
        moved(rows[rows[:, 5] > 0].astype(float), place.back)
        for rows, place in zip(answers, held.placements, strict=True)
    ]
    return precisions(back, held)


def precisions(answers: list[Floats], held: Held) -> dict[str, Any]:
    """Average precisions of answers (k, 6) in the pixels of the images."""
    classes = held.images.classes
    found = {name: precision(match(answers, held.truth, len(classes), name)) for name in SIZES}
    return {
        "map50": found["all"].mean50,
        "map": found["all"].mean,
        **{f"ap50_{name}": float(value) for name, value in zip(classes, found["all"].each[0], strict=True)},
        **{f"map_{name}": one.mean for name, one in found.items() if name != "all"},
    }


def peer(
    name: str, python: str, found: Annotations, folder: Path, held: Held, seconds: float, seed: int, scratch: Path
) -> dict[str, Any]:
    """Figures of another trainer, whose folder is written before its clock starts."""
    given, out = scratch / f"{name} {seed}", scratch / f"{name} {seed}.json"
    write(found, folder, given, "yolo")
    script = str(Path(__file__).with_name("detection_peer.py"))
    words = [python if name == "ultralytics" else sys.executable, "-P", script]
    words += [name, str(given), str(seconds), str(seed), str(out)]
    began = os.times()
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run(words, cwd=scratch, env=here, stdout=sys.stderr, check=True)
    used = os.times()
    told = json.loads(out.read_text(encoding="utf-8"))
    answers = {path: np.array(rows).reshape(-1, 6) for path, rows in told["answers"].items()}
    back = [answers[image.path] for image, _ in found.each() if image.split == "val"]
    cpu = used.children_user + used.children_system - began.children_user - began.children_system
    return {**precisions(back, held), "steps": told["steps"], "seconds": told["seconds"], "cpu_seconds": cpu}


def report(rows: dict[str, list[dict[str, Any]]], network: str, size: int) -> None:
    """Means over the seeds, then one line of JSON."""
    machine = f"{platform.machine()}, {torch.get_num_threads()} threads of {os.cpu_count()} cores"
    print(f"\n{machine}, {network}, {size} px")
    figures: dict[str, Any] = {}
    for name, some in rows.items():
        means = {key: statistics.mean(row[key] for row in some) for key in some[0]}
        figures |= {f"{name}_{key}": value for key, value in means.items()}
        said = f"mAP 50 {means['map50']:.3f}  50:95 {means['map']:.3f}"
        took = f"{means['seconds']:.0f} s, {means['cpu_seconds']:.0f} of the processor"
        print(f"{name:9} {said}  {means['steps']:.0f} steps in {took}")
    bounds = {f"lead_over_{name}": bound(rows["scratch"], rows[name]) for name in PEERS if name in rows}
    marks, met = dict.fromkeys(bounds, 0.0), all(one > 0 for one in bounds.values()) if bounds else None
    print(json.dumps({"name": "detection", "figures": figures | bounds, "marks": marks, "met": met}))


def bound(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> float:
    """Lower 95 % bound of the lead in mAP 50, by Student's t over the seeds; not a number for one seed."""
    leads = [one["map50"] - other["map50"] for one, other in zip(ours, theirs, strict=True)]
    if len(leads) < 2:
        return math.nan
    return float(statistics.mean(leads) - t.ppf(0.975, len(leads) - 1) * statistics.stdev(leads) / len(leads) ** 0.5)


if __name__ == "__main__":
    main()
