"""Losses for several labels, by mean average precision: binary cross-entropy, focal and asymmetric loss.

    python benchmarks/multilabel_losses.py [--blood FOLDER] [--seeds 3] [--quick]

Focal loss (Lin et al. 2017) weighs each decision by what it lacks, squared; the asymmetric one (Ridnik et al. 2021)
those of absent classes alone, to the fourth power, and none that is below 5 %. Each trains the small cnn from scratch
by the same recipe and the same steps: sheets of 2 to 5 glyphs of 8 characters at 32 pixels, and with `--blood` the
smears of BCCD with the kinds of cells that each shows (a folder with JPEGImages, Annotations and ImageSets, official
split), at 40. There is no mark: it tells whether another loss than the plain one earns its place.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import multilabel
import numpy as np
import torch
from multilabel import blood, classes_of, rows_of
from PIL import Image

from sightline.data.embedded import characters
from sightline.data.loader import Images
from sightline.heads import known
from sightline.heads.labels import MULTILABEL
from sightline.heads.multilabel import Multilabel
from sightline.heads.ranking import mean_average_precision
from sightline.models.zoo import build
from sightline.recipe import Recipe
from sightline.train.checkpoint import Checkpoint
from sightline.train.inference import predict
from sightline.train.loop import train

if TYPE_CHECKING:
    from torch import Tensor

PLAIN = "plain"
LOSSES = {PLAIN: (0.0, 0.0, 0.0), "focal": (2.0, 2.0, 0.0), "asymmetric": (0.0, 4.0, 0.05)}
"""Powers for classes that are there and for those that are not, and what is taken off the probability of the latter."""
CHARACTERS, TRAIN, TEST = 8, 400, 300
STEPS = {"sheets": (100, 32), "blood": (40, 40)}
"""Steps of 64 images, and their side in pixels."""
TINY = 1e-8


class Powers(Multilabel):
    """With another loss."""

    def __init__(self, there: float, absent: float, margin: float) -> None:
        self.there, self.absent, self.margin = there, absent, margin

    def loss(self, logits: Tensor, targets: Tensor, weights: Tensor | None, smoothing: float) -> Tensor:
        """That of the class where both powers are 0."""
        if not self.absent:
            return super().loss(logits, targets, weights, smoothing)
        chance, there = torch.sigmoid(logits), targets.to(logits.dtype)
        low = (1 - chance + self.margin).clamp(max=1)
        kept = there * (1 - chance) ** self.there * chance.clamp(min=TINY).log()
        gone = (1 - there) * (1 - low) ** self.absent * low.clamp(min=TINY).log()
        return -(kept + gone).sum() / len(targets)


def main() -> None:
    """Train with each loss on each set, and tell the means over the seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blood", type=Path, help="the folder of BCCD")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    words = parser.parse_args()
    seeds = 1 if words.quick else words.seeds
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folders = {"sheets": few_sheets(Path(scratch) / "sheets", quick=words.quick)}
        if words.blood:
            folders["blood"] = blood(words.blood, Path(scratch) / "blood")
        for name, folder in folders.items():
            steps, side = STEPS[name]
            learned, tested = (images(folder, split, side) for split in ("train", "test"))
            found: dict[str, list[float]] = {loss: [] for loss in LOSSES}
            for seed in range(seeds):
                for loss in LOSSES:
                    started = time.perf_counter()
                    found[loss].append(score(loss, learned, tested, 3 if words.quick else steps, seed))
                    told = f"mAP {found[loss][-1]:.4f} in {time.perf_counter() - started:.0f} s"
                    print(f"{name:7} {loss:11} seed {seed}: {told}", flush=True)
            for loss, scores in found.items():
                lead = np.array(scores) - found[PLAIN]
                figures[f"{name}_{loss}"], figures[f"{name}_{loss}_lead"] = float(np.mean(scores)), float(lead.mean())
                figures[f"{name}_{loss}_lead_std"] = lead.std(ddof=1) if seeds > 1 else 0.0
    figures = {key: round(float(value), 4) for key, value in figures.items()}
    for key, value in figures.items():
        print(f"  {key:32} {value:.4f}")
    print(json.dumps({"name": "multilabel_losses", "figures": figures, "marks": {}, "met": True}))


def few_sheets(folder: Path, *, quick: bool) -> Path:
    """Sheets as in the comparison with others, of fewer characters."""
    characters.CHARACTERS = characters.CHARACTERS[:CHARACTERS]
    multilabel.TRAIN, multilabel.TEST = TRAIN, TEST
    return multilabel.sheets(folder, quick=quick)


def images(folder: Path, split: str, side: int) -> Images:
    """Those of a split, squeezed to squares."""
    rows, names = rows_of(folder, split), classes_of(folder)
    pixels = [Image.open(folder / row["path"]).convert("RGB").resize((side, side)) for row in rows]
    labels = [[int(name in row["labels"]) for name in names] for row in rows]
    stacked = torch.from_numpy(np.stack([np.asarray(one) for one in pixels])).permute(0, 3, 1, 2)
    return Images(stacked, torch.tensor(labels, dtype=torch.uint8), tuple(names), task=MULTILABEL)


def score(loss: str, learned: Images, tested: Images, steps: int, seed: int) -> float:
    """Mean average precision on the test images after training with that loss."""
    known.HEADS[MULTILABEL] = Powers(*LOSSES[loss])
    torch.manual_seed(seed)
    model: Any = build("cnn", len(learned.classes), int(learned.pixels.shape[2]))
    known.HEADS[MULTILABEL].begin(model.head, learned.labels)
    recipe = Recipe(epochs=1, steps=steps, learning_rate=0.3, clip=1.0, label_smoothing=0.0, flip=False)
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint = Checkpoint(Path(scratch) / "checkpoint.pt")
        train(model, learned, tested, recipe, seed, checkpoint, lambda _: None)
    return mean_average_precision(predict(model, tested.pixels).numpy(), tested.labels.numpy())


if __name__ == "__main__":
    main()
