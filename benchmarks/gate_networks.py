"""The gate before real networks: no bundle is dearer than itself, and four times the images pass.

    python benchmarks/gate_networks.py --cache FOLDER [--data FOLDER] [--quick]

*cost*: one bundle against itself while two processes do nothing but count, 50 times (quick: 3). *data*: steel and
apple, networks of one recipe from a few images and from four times as many; where the second gains two points on 700
test images or more, all checks must pass. Results are kept below the cache.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import sets
from sets import Cells, files_of, listed, place, project, write_table

from sightline.digests import dvc_digest
from sightline.evaluate import cost
from sightline.evaluate.evaluation import evaluate
from sightline.models.bundle import Card
from sightline.models.predictor import write_bundle
from sightline.models.weights import WEIGHTS, save_weights
from sightline.models.zoo import build
from sightline.params import Gate
from sightline.project import enter
from sightline.recipe import Recipe
from sightline.registry import promotion
from sightline.registry.blessing import FAILED, OVERALL, REQUIRED, Bound
from sightline.registry.candidate import Request
from sightline.registry.check_cost import check_cost
from sightline.registry.ledger import PROMOTED
from sightline.stage import run_stage
from sightline.tracking.runs import connect
from sightline.train import stages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sightline.project import Paths
    from sightline.registry.outcome import Outcome

BOUND = Bound(data="", code="", weights="", release="")
NAMES, SEEDS, FEW = ("steel", "apple"), range(4), 12
"""Sets, draws, and training images of each class for the champion; the candidate gets four times as many."""
RECIPE, SIDE = Recipe(epochs=15, min_steps=300, learning_rate=0.3, clip=1.0, flip=True), 48
LEAST_GAIN, LEAST_IMAGES = 0.02, 700
TESTED, VALIDATED = 0.55, 0.65
"""An image whose group's hash lies below the first is a test image, below the second a validation image."""
MARKS = {"cost_failed": 0, "passed": 0.75}


def main() -> None:
    """Run both parts and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, help="where trained networks and results are kept")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="where the sets' tars lie")
    parser.add_argument("--quick", action="store_true", help="the cost alone, three times")
    asked = parser.parse_args()
    asked.cache.mkdir(parents=True, exist_ok=True)
    cache, data = asked.cache.resolve(), asked.data.resolve()
    sets.TEST, sets.VAL = TESTED, VALIDATED
    figures: dict[str, Any] = itself(cache, 3 if asked.quick else 50)
    met = figures["cost_failed"] == MARKS["cost_failed"]
    if not asked.quick:
        figures |= more_images(cache, data)
        met = met and figures["passed"] >= MARKS["passed"]
    print(json.dumps({"name": "gate_networks", "figures": figures, "marks": MARKS, "met": met}))


def itself(folder: Path, tries: int) -> dict[str, Any]:
    """How often a bundle fails the rule about cost against itself, under two busy loops."""
    from PIL import Image

    home, image = folder / "itself", folder / "image.png"
    if not (home / "bundle").is_dir():
        (home / "training").mkdir(parents=True)
        weights = save_weights(build("cnn", 10, SIDE), home / "training")
        card = Card("cnn", SIDE, tuple("abcdefghij"), 1.0, weights)
        write_bundle(home / "bundle", card, home / "training" / WEIGHTS, [])
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)).save(image)
    ratios, failed = [], 0
    with busy(2):
        for number in range(tries):
            done = check_cost(cost.compare(home / "bundle", home / "bundle", [image]), BOUND)
            failed += done.verdict == FAILED
            ratios.append(done.figures["latency"]["ratio"])
            print(f"cost {number + 1}/{tries}: {done.verdict}, {done.sentence}", flush=True)
    return {"cost_tries": tries, "cost_failed": failed, "cost_ratios": [min(ratios), max(ratios)]}


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """Processes that count, for as long as the block lasts."""
    found = [multiprocessing.Process(target=_count, daemon=True) for _ in range(loops)]
    for one in found:
        one.start()
    try:
        yield
    finally:
        for one in found:
            one.kill()


def _count() -> None:
    while True:
        pass


def more_images(cache: Path, data: Path) -> dict[str, Any]:
    """Of the pairs with enough gain and images, the share in which every check passes."""
    cells = Cells(cache / "gate_networks.json")
    for name in NAMES:
        for seed in SEEDS:
            if f"{name} {seed}" not in cells.rows:
                cells.keep(f"{name} {seed}", pair(name, seed, cache, data))
            print(name, seed, cells.rows[f"{name} {seed}"], flush=True)
    asked = [row for row in cells.rows.values() if row["gain"] >= LEAST_GAIN and row["images"] >= LEAST_IMAGES]
    passed = sum(row["decision"] == PROMOTED for row in asked)
    return {"pairs": len(cells.rows), "asked": len(asked), "passed": passed / len(asked) if asked else 0.0}


def pair(name: str, seed: int, cache: Path, data: Path) -> dict[str, Any]:
    """A champion of few images and a candidate of four times as many through the gate, as the flow would put them."""
    before = dict(os.environ)
    try:
        return _pair(name, seed, cache / f"{name}-{seed}", data)
    finally:
        # A project that was entered stays the one that MLflow is asked for, however many are entered after it.
        os.environ.clear()
        os.environ.update(before)


def _pair(name: str, seed: int, folder: Path, data: Path) -> dict[str, Any]:
    shutil.rmtree(folder, ignore_errors=True)
    images, files = files_of(name, data, folder)
    write_table(images, listed(files, seed, FEW))
    paths = enter(project(folder, images, SIDE).root)
    first = submit(paths, "few", seed, override=REQUIRED)
    write_table(images, listed(files, seed, 4 * FEW))
    second = submit(paths, "many", seed)
    overall = next(one.figures for one in second.blessings if one.name == OVERALL)
    found = {one.name: f"{one.verdict}: {one.sentence}" for one in second.blessings}
    shutil.rmtree(folder)
    return {
        "champion": first.version,
        "images": overall["images"],
        "gain": overall["accuracy"] - overall["champion_accuracy"],
        "decision": second.decision,
        "checks": found,
    }


def submit(paths: Paths, name: str, seed: int, override: tuple[str, ...] = ()) -> Outcome:
    """Train on the present images, evaluate, register, and ask the gate."""
    for stage in ("ingest", "validate", "preprocess"):
        run_stage(paths, stage, "target")
    best = stages.scratch(place(paths, name), "cnn", RECIPE, seed)
    folder = paths.runs / f"evaluation-{name}"
    folder.mkdir()
    done = evaluate(paths, folder, best, paths.params.evaluate)
    tracker = connect(paths)
    digests = {"data": paths.manifest("target"), "validation": paths.verdict("target")}
    tags = {f"{key}.target": dvc_digest(path.parent) for key, path in digests.items()} | {"code": name}
    version = promotion.register(tracker, tracker.start(name, {}), best, done, tags).version
    request = Request(version=version, reason=name, actor="benchmark", override=override)
    return promotion.promote(tracker, request, Gate(), "r1")


if __name__ == "__main__":
    main()
