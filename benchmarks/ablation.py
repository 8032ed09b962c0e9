"""What one recipe is worth on one set: the ablations of docs/log.md.

    python benchmarks/ablation.py --data FOLDER --cells FILE SET NETWORK SIZE STEPS [FIELD=VALUE …]
        [--weights FILE] [--salt 11] [--seed 0] [--work FOLDER]

SET is steel, signs or apple, trained from scratch or, with `--weights`, fine-tuned from a backbone after its head was
fitted; or `source`: a backbone pretrained on Tiny ImageNet, whose file is told. FIELD is one of a recipe's
(`learning_rate`, `clip`, `cutmix` …); what is not given stands as in `train/recipe.py`. Accuracy is that of the
validation and test images together, of a salt that `accuracy.py` does not use; of `source` that of its validation
images. `refused` is the share of 100 random thirds of them on which a temperature is fitted that the gate then finds
miscalibrated on the rest. Finished rows stand in FILE and are not computed again.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sets import SETS, Cells, backbone, files_of, finetuned, listed, place, project, source, weights_of, write_table

from sightline import config
from sightline.data.loader import load_any
from sightline.digests import digest_of
from sightline.evaluate.calibration import ece, ece_null
from sightline.heads.temperature import fit_temperature, softmax
from sightline.recipe import Recipe
from sightline.train import stages
from sightline.train.inference import predict

if TYPE_CHECKING:
    from sightline.evaluate.metrics import FloatArray, IntArray
    from sightline.project import Paths
    from sightline.train.result import Trained

SOURCE = "source"
SPLITS, DRAWS = 100, 100


def main() -> None:
    """Train once and tell one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="a folder with the sets")
    parser.add_argument("--cells", type=Path, default=Path("ablation.json"), help="file of the finished rows")
    parser.add_argument("--work", type=Path, help="folder of the decoded images and networks")
    parser.add_argument("--weights", type=Path, help="a backbone of this network to start from")
    parser.add_argument("--salt", type=int, default=11)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("set", choices=[*SETS, SOURCE])
    parser.add_argument("network")
    parser.add_argument("size", type=int)
    parser.add_argument("steps", type=int)
    parser.add_argument("fields", nargs="*", metavar="FIELD=VALUE")
    words = parser.parse_args()
    work = words.work or words.cells.with_suffix(".work")
    work.mkdir(parents=True, exist_ok=True)
    settings = (config.parse_setting(f"recipe.{text}") for text in words.fields)
    fields = {key.removeprefix("recipe."): value for key, value in settings}
    recipe = Recipe(**{"epochs": 1, "flip": words.set != "signs", **fields, "steps": words.steps})
    told = " ".join([words.set, words.network, f"{words.size} px", f"{words.steps} steps", *words.fields])
    start = f", from {words.weights.parent.name}" if words.weights else ""
    name = f"{told}{start}, salt {words.salt}, seed {words.seed}"
    cells = Cells(words.cells)
    if name not in cells.rows:
        if words.set == SOURCE:
            paths = source(SOURCE, words.data, work, words.size)
            trained = backbone(paths, words.network, recipe, words.seed)
            row: dict[str, Any] = {"accuracy": trained.val_accuracy, "weights": str(weights_of(paths, trained))}
        else:
            paths = drawn(words.set, words.data, work, words.size, words.salt)
            trained = train(paths, words.network, recipe, words.seed, words.weights)
            row = judged(trained, paths)
        cells.keep(name, {**row, "seconds": trained.seconds})
    print(name, json.dumps(cells.rows[name]), flush=True)


def drawn(of: str, data: Path, work: Path, size: int, salt: int) -> Paths:
    """The set with the test images of a salt, decoded once."""
    folder = work / f"{of}-{salt}"
    if not (folder / "images").is_dir():
        shutil.rmtree(folder, ignore_errors=True)
        images, files = files_of(of, data, folder / "unpacked")
        write_table(images, listed(files, salt))
        images.rename(folder / "images")
    return project(folder / str(size), folder / "images", size)


def train(paths: Paths, network: str, recipe: Recipe, seed: int, weights: Path | None) -> Trained:
    """From scratch, or from the weights."""
    key = digest_of([network, asdict(recipe), seed, str(weights)])[:8]
    if weights is None:
        return stages.scratch(place(paths, f"scratch-{key}"), network, recipe, seed)
    return finetuned(paths, weights.resolve(), network, recipe, seed, key)[1]


def judged(trained: Trained, paths: Paths) -> dict[str, Any]:
    """Accuracy on validation and test images, and how often the gate would find the calibration wanting."""
    model = trained.load(paths.root)
    parts = [load_any(paths.shards("target"), role) for role in ("val", "test")]
    logits = np.concatenate([predict(model, part.pixels, exact=True).numpy() for part in parts])
    labels = np.concatenate([part.labels.numpy() for part in parts])
    return {
        "accuracy": float((logits.argmax(axis=1) == labels).mean()),
        "images": len(labels),
        "refused": refused(logits, labels),
    }


def refused(logits: FloatArray, labels: IntArray) -> float:
    """Share of random splits on which the fitted temperature does not hold."""
    found = 0
    for split in range(SPLITS):
        rng = np.random.default_rng(split)
        order = rng.permutation(len(labels))
        fit, rest = np.split(order, [math.ceil(len(order) / 3)])
        probabilities = softmax(logits[rest], fit_temperature(logits[fit], labels[fit]))
        found += ece(probabilities, labels[rest]) > ece_null(probabilities, DRAWS, rng)
    return found / SPLITS


if __name__ == "__main__":
    main()
