"""How images that are far from square are best made square, and whether `auto` chooses well.

    python benchmarks/ragged.py --data FOLDER --cells ragged.json [--salts 0 1 2] [--size 64] [--steps 600]
    python benchmarks/ragged.py --data FOLDER --cells ragged.json --quick

Every steel image is cut to a strip of 1 : 4, lying or standing, by the hash of its path. The small cnn is trained on
the strips from scratch, with the rate of the presets and as many steps for each way, and judged on test images that
are strips too. Finished cells stay in the file. --quick: one draw, 32 px and 200 steps. The mark: `auto` leads
`squeeze`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from sets import Cells, files_of, lead, listed, place, project, write_table

from sightline import config
from sightline.data.loader import load_any
from sightline.data.shards import preprocess, read_index
from sightline.heads.known import of
from sightline.project import Paths
from sightline.recipe import Recipe
from sightline.train import stages
from sightline.train.inference import predict as answers_of

FITS = ("squeeze", "crop", "pad", "fold", "auto")
LONG = 4


def main() -> None:
    """Compute the cells that are missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="a folder with the sets")
    parser.add_argument("--cells", type=Path, default=Path("ragged.json"), help="file of the finished cells")
    parser.add_argument("--salts", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--size", type=int, default=64, help="side of the images, pixels")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--fits", nargs="+", choices=FITS, default=list(FITS))
    parser.add_argument("--quick", action="store_true", help="one draw, 32 px, 200 steps")
    words = parser.parse_args()
    salts, size, steps = ([0], 32, 200) if words.quick else (words.salts, words.size, words.steps)
    cells = Cells(words.cells)
    print(f"{platform.machine()}, {os.cpu_count()} cores; {size} px, {steps} steps")
    found: dict[str, list[float]] = {fit: [] for fit in words.fits}
    for salt in salts:
        for fit in words.fits:
            name = f"{fit}/{salt}/{size}/{steps}"
            if name not in cells.rows:
                cells.keep(name, cell(fit, salt, size, steps, words.data))
            row = cells.rows[name]
            found[fit].append(row["accuracy"])
            print(f"salt {salt}: {fit:7} ({row['fit']}) {row['accuracy']:.3f} of {row['test']} images", flush=True)
    figures = {fit: statistics.mean(values) for fit, values in found.items()}
    mean, low = lead(found["auto"], found["squeeze"]) if {"auto", "squeeze"} <= found.keys() else (0.0, 0.0)
    figures |= {"lead": mean, "lead_low": low}
    print(json.dumps({"name": "ragged", "figures": figures, "marks": {"lead": 0.0}, "met": mean > 0}))


def cell(fit: str, salt: int, size: int, steps: int, data: Path) -> dict[str, Any]:
    """Accuracy of one way on one draw."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        images, files = files_of("steel", data, folder / "unpacked")
        for one in files:
            cut(images / one["path"])
        write_table(images, listed(files, salt))
        paths = project(folder / "project", images, size)
        config.write_value(paths.root, "preprocess.fit", fit)
        paths = Paths(paths.root)
        preprocess(paths, "target")
        recipe = Recipe(epochs=1, steps=steps, learning_rate=0.3, clip=1.0)
        trained = stages.scratch(place(paths, "scratch"), "cnn", recipe, salt)
        test = load_any(paths.shards("target"), "test")
        _, accuracy = of(test.task).rated(answers_of(trained.load(paths.root), test.pixels), test.labels)
        made = read_index(paths.shards("target")).fit
        shutil.rmtree(folder / "project")
    return {"accuracy": accuracy, "test": len(test), "fit": made}


def cut(path: Path) -> None:
    """Make the image a strip of 1 : LONG, lying or standing, at a place that its name draws."""
    drawn = hashlib.sha256(path.name.encode()).digest()
    with Image.open(path) as image:
        wide, high = image.size
        lying, at = drawn[0] % 2, drawn[1] / 255
        if lying:
            top = round(at * (high - high // LONG))
            strip = image.crop((0, top, wide, top + high // LONG))
        else:
            left = round(at * (wide - wide // LONG))
            strip = image.crop((left, 0, left + wide // LONG, high))
        strip.load()
    strip.save(path)


if __name__ == "__main__":
    main()
