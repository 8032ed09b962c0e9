"""Make the backbone that ships: the cnn pretrained on images made by formulas, as `pretrain.init: embedded:fractals`.

    python benchmarks/formulas.py --out FOLDER [--images 600x100] [--epochs 12]

Goes on from its checkpoints in FOLDER, which then holds the files of `sightline/models/backbones/`: the weights, and
how they were made. The same command on such a machine, with as many threads and the same torch, gives the same weights
bit for bit; elsewhere weights of the same worth.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from sightline.data.embedded import fractals
from sightline.data.embedded.field import SIDE
from sightline.data.loader import Images
from sightline.digests import file_digest
from sightline.models.beginning import begin_from
from sightline.models.zoo import build
from sightline.recipe import Recipe
from sightline.train.checkpoint import Checkpoint, Epoch
from sightline.train.loop import train
from sightline.train.machine import machine

NETWORK, SEED = "cnn", 0
SMALL, WINDOW = 32, 0.25
"""Side of the windows that most of the training sees, and the least share of the image that one shows: five times as
many images a second as whole ones. The steps on whole images at the end are for the size at which it will be used."""
LONGER = 2.0
"""By which the convolutions are longer than training left them: steps of SGD turn them less then, and fine-tuning on
few images forgets less of what they know."""
HELD_OUT = 0.05
"""Share of the images of each class that training is scored by."""


def main() -> None:
    """Make the images, train, and write the backbone with its recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="a folder for checkpoint and weights")
    parser.add_argument("--images", default=f"{fractals.CLASSES}x100", help="classes, and images of each")
    parser.add_argument("--epochs", type=int, default=12, help="passes over windows of the images")
    parser.add_argument("--whole", type=int, default=200, help="steps on whole images after them")
    parser.add_argument("--threads", type=int, default=1)
    words = parser.parse_args()
    torch.set_num_threads(words.threads)
    words.out.mkdir(parents=True, exist_ok=True)
    name = f"{fractals.NAME}:{words.images}"
    began = time.perf_counter()
    images, held = split(name)
    print(f"{len(images):,} images made in {time.perf_counter() - began:.0f} s", flush=True)
    recipes = [
        Recipe(epochs=words.epochs, batch_size=128, learning_rate=0.3, clip=1.0, size=SMALL, zoom=WINDOW),
        Recipe(epochs=1, steps=words.whole, batch_size=128, learning_rate=0.1, clip=1.0),
    ]
    torch.manual_seed(SEED)
    model = build(NETWORK, len(images.classes), SIDE)
    for part, recipe in enumerate(recipes):
        history = train(model, images, held, recipe, SEED, Checkpoint(words.out / f"checkpoint{part}.pt"), told)
    made = {"source": name, "recipes": [asdict(one) for one in recipes], "size": SIDE, "seed": SEED, "longer": LONGER}
    ship(lengthened(model.backbone), words.out, made | {"right": history[-1].val_accuracy})


def split(name: str) -> tuple[Images, Images]:
    """The images to learn from, and those held out, in memory."""
    classes, each = fractals.numbers(name)
    pixels = np.empty((classes, each, SIDE, SIDE, 3), np.uint8)
    parts = list(product(range(classes), range(0, each, fractals.BLOCK)))
    with ProcessPoolExecutor() as pool:
        for (label, start), images in zip(parts, pool.map(fractals.block, *zip(*parts, strict=True)), strict=True):
            pixels[label, start : start + fractals.BLOCK] = images[: each - start]
    cut = each - max(1, round(each * HELD_OUT))
    names = tuple(f"{label:04d}" for label in range(classes))

    def part(rows: np.ndarray) -> Images:
        flat = torch.from_numpy(np.ascontiguousarray(rows).reshape(-1, SIDE, SIDE, 3)).permute(0, 3, 1, 2)
        return Images(flat, torch.arange(classes).repeat_interleave(rows.shape[1]), names)

    return part(pixels[:, :cut]), part(pixels[:, cut:])


def told(epoch: Epoch) -> None:
    """A line for each pass."""
    print(
        f"{epoch.epoch}/{epoch.epochs} loss {epoch.train_loss:.3f}, right {epoch.val_accuracy:.3f}, "
        f"{epoch.images_per_second:.0f} images/s, {epoch.seconds:.0f} s",
        flush=True,
    )


def lengthened(backbone: nn.Module) -> nn.Module:
    """The same network with convolutions that are LONGER; what normalises them makes up for it."""
    longer = deepcopy(backbone)
    with torch.no_grad():
        for part in longer.modules():
            if isinstance(part, nn.Conv2d):
                part.weight.mul_(LONGER)
    begin_from(longer, backbone.state_dict(), SIDE)
    return longer.eval()


def ship(backbone: nn.Module, folder: Path, made: dict[str, Any]) -> None:
    """The weights, those of the convolutions in 16 bits, and beside them their digest and how they were made."""
    from safetensors.torch import save_file

    stem = folder / f"fractals-{NETWORK}"
    state = {name: value.detach().cpu().contiguous() for name, value in backbone.state_dict().items()}
    small = {name: value.half() if value.ndim == 4 else value for name, value in state.items()}
    save_file(small, stem.with_suffix(".safetensors"))
    facts = {
        "sha256": file_digest(stem.with_suffix(".safetensors")),
        "network": NETWORK,
        "learned_from": "images made by formulas (sightline/data/embedded); no photograph",
        **made,
        "command": " ".join(["python", "benchmarks/formulas.py", *sys.argv[1:]]),
        "machine": machine(),
    }
    stem.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
