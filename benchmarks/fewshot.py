"""What transfer is worth with 5 and 20 images per class, beside training from scratch.

    python benchmarks/fewshot.py --data FOLDER --cells FILE [--work FOLDER] [--quick]

Steel from a backbone pretrained on Tiny ImageNet, the embedded digits from one pretrained on printed glyphs; `--data`
holds the sets as FOLDER/SET/SET.tar. A seed draws the images, the weights and the order. Both ways are the production
stages with the recipes of params.yaml and as many steps each; transfer is the better of the linear head and
fine-tuning on the validation images. The mark is issue 4's: a lead whose lower 95 % bound (paired, over 5 seeds) lies
above 0. --quick: one seed, digits alone, a few steps. Finished cells stand in `--cells` and are not computed again;
backbones are kept in `--work`, by default beside it.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from sets import (
    DIGITS,
    NETWORK,
    PIXELS,
    PRETRAIN,
    Cells,
    backbone,
    files_of,
    finetuned,
    lead,
    listed,
    place,
    project,
    source,
    weights_of,
    write_table,
)

from sightline import config
from sightline.data.loader import load_any
from sightline.params import Finetune
from sightline.recipe import Recipe
from sightline.scaffold import template
from sightline.train import stages
from sightline.train.chain import choose
from sightline.train.inference import scored

MARK, GOAL = 0.0, 0.10
SEEDS = 5
SETS = {DIGITS: ("glyphs", "cnn", 32), "steel": ("source", NETWORK, PIXELS)}
"""Source of the backbone, network, image size."""


def main() -> None:
    """Compute the cells that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed, the digits alone, a few steps")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="a folder with the sets")
    parser.add_argument("--cells", type=Path, default=Path("fewshot.json"), help="file of the finished cells")
    parser.add_argument("--work", type=Path, help="folder of the backbones")
    words = parser.parse_args()
    work = words.work or words.cells.with_suffix(".work")
    work.mkdir(parents=True, exist_ok=True)
    cells = Cells(words.cells)
    names, seeds = ([DIGITS], 1) if words.quick else (list(SETS), SEEDS)
    for name in names:
        for count in (5, 20):
            for seed in range(seeds):
                key = f"{name}/{count}/{seed}" + ("/quick" if words.quick else "")
                if key not in cells.rows:
                    cells.keep(key, one(name, count, seed, words.data, work, quick=words.quick))
                print(key, *(f"{way} {value:.3f}" for way, value in cells.rows[key].items()), flush=True)
    report(cells, names, seeds, "/quick" if words.quick else "")


def one(name: str, count: int, seed: int, data: Path, work: Path, *, quick: bool) -> dict[str, float]:
    """Test accuracy of each way on one draw."""
    origin, network, size = SETS[name]
    recipes = recipes_of(name, quick=quick)
    there = source(origin, data, work, size)
    given = backbone(there, network, recipes["pretrain"])
    folder = work / f"{name}-{count}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    images, files = files_of(name, data, folder)
    write_table(images, listed(files, seed, count))
    paths = project(folder, images, size)
    head, tuned = finetuned(paths, weights_of(there, given), network, recipes["finetune"], seed, "backbone")
    plain = stages.scratch(place(paths, "scratch"), network, recipes["scratch"], seed)
    best, _ = choose(tuned, head)
    test = load_any(paths.shards("target"), "test")
    ways = {"scratch": plain, "head": head, "finetuned": tuned, "transfer": best}
    row = {way: scored(trained.load(paths.root), test)[1] for way, trained in ways.items()}
    shutil.rmtree(folder)
    return {**row, "backbone": given.val_accuracy, "backbone_seconds": given.seconds}


def recipes_of(name: str, *, quick: bool) -> dict[str, Recipe]:
    """The recipes of the demonstration for the digits, of the default preset for images of one's own."""
    params: dict[str, Any] = config.read(template(config.PARAMS).parent)
    stages_of = {"pretrain": params["pretrain"]["recipe"], **params["finetune"]}
    stages_of["finetune"] = stages_of.pop("recipe")
    if name != DIGITS:
        preset = {key: {**values, "flip": True} for key, values in params["presets"]["balanced"].items()}
        stages_of = {**preset, "pretrain": asdict(PRETRAIN)}
    recipes = {key: Recipe(**values) for key, values in stages_of.items()}
    checked = Finetune(recipe=recipes["finetune"], scratch=recipes["scratch"])
    # As many steps each, so that the lead is not one of time.
    steps = max(checked.recipe.min_steps, checked.scratch.min_steps)
    if quick:
        return {key: replace(recipe, epochs=1, min_steps=0, steps=20) for key, recipe in recipes.items()}
    return {key: recipe if key == "pretrain" else replace(recipe, min_steps=steps) for key, recipe in recipes.items()}


def report(cells: Cells, names: list[str], seeds: int, suffix: str) -> None:
    """Means and leads over the seeds, then one line of JSON."""
    print(f"\n{platform.machine()}, {torch.get_num_threads()} threads, {seeds} seeds")
    figures: dict[str, float | None] = {}
    met = seeds == SEEDS
    for name in names:
        for count in (5, 20):
            rows = [cells.rows[f"{name}/{count}/{seed}{suffix}"] for seed in range(seeds)]
            mean, bound = lead([row["transfer"] for row in rows], [row["scratch"] for row in rows])
            figures |= {f"{name}_{count}_lead": mean, f"{name}_{count}_bound": bound if seeds > 1 else None}
            met &= bound > MARK
            ways = {way: sum(row[way] for row in rows) / seeds for way in ("scratch", "head", "finetuned")}
            print(
                f"{name}, {count:2} per class:",
                *(f"{way} {value:.3f} " for way, value in ways.items()),
                f"lead of transfer {mean:+.3f}, lower bound {bound:+.3f}",
            )
    print(json.dumps({"name": "fewshot", "figures": figures, "marks": {"bound": MARK, "goal": GOAL}, "met": met}))


if __name__ == "__main__":
    main()
