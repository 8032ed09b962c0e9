"""The backbone that ships: the cnn pretrained on images made by formulas.

    python benchmarks/formulas.py --out FOLDER [--images 400x100] [--epochs 12] [--threads 2]

Goes on from its checkpoint in FOLDER. The same command on the same kind of machine, with as many threads, gives the
same weights bit for bit; elsewhere weights of the same worth.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from sightline.data.embedded import fractals
from sightline.data.embedded.formulas import SIDE
from sightline.data.loader import Images
from sightline.models.zoo import build
from sightline.recipe import Recipe
from sightline.train.checkpoint import Checkpoint, Epoch
from sightline.train.loop import train
from sightline.train.machine import machine

NETWORK, SEED = "cnn", 0
HELD_OUT = 0.05
"""Share of the images of each class that training is scored by."""


def main() -> None:
    """Make the images, train, and write the backbone with its recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--images", default="400x100", help="classes and images of each")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--kinds", default="", help="only formulas of these kinds, such as 0 for systems")
    words = parser.parse_args()
    torch.set_num_threads(words.threads)
    words.out.mkdir(parents=True, exist_ok=True)
    name = f"{fractals.NAME}:{words.images}"
    began = time.perf_counter()
    learned, held = split(name, [int(one) for one in words.kinds] or list(range(5)))
    print(f"{len(learned):,} images in {time.perf_counter() - began:.0f} s", flush=True)
    recipe = Recipe(epochs=words.epochs, batch_size=128, learning_rate=0.3, clip=1.0)
    torch.manual_seed(SEED)
    model = build(NETWORK, len(learned.classes), SIDE)
    history = train(model, learned, held, recipe, SEED, Checkpoint(words.out / "checkpoint.pt"), told)
    from safetensors.torch import save_file

    save_file(
        {key: value.cpu().contiguous() for key, value in model.backbone.state_dict().items()},
        words.out / "full.safetensors",
    )
    facts = {
        "source": name,
        "recipe": asdict(recipe),
        "seed": SEED,
        "machine": machine(),
        "history": [asdict(one) for one in history],
    }
    (words.out / "facts.json").write_text(json.dumps(facts, indent=1))


def split(name: str, kinds: list[int]) -> tuple[Images, Images]:
    """The images to learn from, and those held out, in memory."""
    classes, each = fractals.numbers(name)
    labels = [label for label in range(classes * 5 // len(kinds)) if label % 5 in kinds]
    pixels = np.empty((len(labels), each, SIDE, SIDE, 3), np.uint8)
    for place, label in enumerate(labels):
        for start in range(0, each, fractals.BLOCK):
            pixels[place, start : start + fractals.BLOCK] = fractals.block(label, start)[: each - start]
    cut = each - max(1, round(each * HELD_OUT))
    names = tuple(f"{label:04d}" for label in labels)

    def part(rows: np.ndarray) -> Images:
        flat = torch.from_numpy(rows.reshape(-1, *rows.shape[2:])).permute(0, 3, 1, 2)
        return Images(flat, torch.arange(len(names)).repeat_interleave(rows.shape[1]), names)

    return part(pixels[:, :cut].copy()), part(pixels[:, cut:].copy())


def told(epoch: Epoch) -> None:
    """A line for each pass."""
    print(
        f"{epoch.epoch}/{epoch.epochs} loss {epoch.train_loss:.3f} val {epoch.val_accuracy:.3f} "
        f"{epoch.images_per_second:.0f} images/s {epoch.seconds:.0f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
