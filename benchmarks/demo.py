"""What the backbone is worth in the demonstration: test accuracy from scratch, by a linear head, and fine-tuned.

    python benchmarks/demo.py [--quick] [--set section.key=value …]

Eight seeds (--quick: one) through the production stages with the recipe of params.yaml. A seed draws everything: the
weights, the order of the images, the augmentation. The mark is issue 2's: fine-tuned at least 4 points above scratch.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from sightline import config, scaffold
from sightline.data.ingest import ingest
from sightline.data.shards import preprocess
from sightline.evaluate import release
from sightline.project import Paths
from sightline.train import chain
from sightline.train.inference import predict
from sightline.train.stages import InProcess, Place

if TYPE_CHECKING:
    from sightline.params import Params
    from sightline.train.result import Trained

MARK = 0.04
SEEDS = 8


def main() -> None:
    """Make the embedded project, train with each seed and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed")
    parser.add_argument("--set", action="append", default=[], dest="settings", metavar="SECTION.KEY=VALUE")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        paths = Paths(Path(folder) / "demo")
        scaffold.init(paths.root, "embedded:digits", "embedded:glyphs", None, lambda _: None)
        for use in ("source", "target"):
            ingest(paths, use)
            preprocess(paths, use)
        params = config.load(paths.root, dict(map(config.parse_setting, words.settings)))
        rows = [one_seed(paths, params, seed) for seed in range(1 if words.quick else SEEDS)]
    report(rows)


def one_seed(paths: Paths, params: Params, seed: int) -> dict[str, float]:
    """Test accuracy of the three ways, and the backbone's own on the source's validation images."""

    def place(stage: str, use: str) -> Place:
        folder = paths.runs / f"{stage}-{seed}"
        folder.mkdir(parents=True)
        return Place(paths.root, folder, paths.shards(use), lambda _: None)

    drawn = replace(params, project=replace(params.project, seed=seed))
    found = chain.train(InProcess(place, has_source=True), drawn, chain.stages_of(params))
    backbone, *_ = found.all
    ways = {"scratch": found.plain, "head": found.head, "finetuned": found.tuned}
    row = {name: test_accuracy(paths, params, trained) for name, trained in ways.items() if trained}
    print(
        f"seed {seed}: backbone {backbone.val_accuracy:.3f}",
        *(f"{name} {value:.3f}" for name, value in row.items()),
        flush=True,
    )
    return {**row, "backbone": backbone.val_accuracy, "pretrain_seconds": backbone.seconds}


def test_accuracy(paths: Paths, params: Params, trained: Trained) -> float:
    """Share of right answers on the test release."""
    images, _ = release.open_images(paths, release.current(paths, params.evaluate.release))
    logits = predict(trained.load(paths.root), images.pixels, exact=True)
    return float((logits.argmax(1) == images.labels).float().mean())


def report(rows: list[dict[str, float]]) -> None:
    """Mean and spread over the seeds, and the lead of fine-tuning."""
    figures: dict[str, float] = {}
    print(f"\n{len(rows)} seeds on {platform.machine()}, {torch.get_num_threads()} threads")
    for name in rows[0]:
        values = [row[name] for row in rows]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        figures |= {name: statistics.mean(values), f"{name}_std": spread}
        print(f"{name:18} {figures[name]:.3f} ± {spread:.3f}")
    figures["lead"] = figures["finetuned"] - figures["scratch"]
    print(f"{'lead':18} {figures['lead']:.3f}, mark {MARK}")
    print(json.dumps({"name": "demo", "figures": figures, "marks": {"lead": MARK}, "met": figures["lead"] >= MARK}))


if __name__ == "__main__":
    main()
