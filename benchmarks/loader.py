"""Images per second of the loader, beside torchvision's `ImageFolder` with torch's `DataLoader`, and its memory.

    python benchmarks/loader.py [--quick] [--photos FOLDER]

JPEGs of 500×375 are made, of the photos in FOLDER or of noise. Both ways give normalised batches of 224 px by random
resized crop and mirror, with as many workers as there are cores: theirs processes over the files, ours the production
reader over shards of 256 px that stay on the disk, as pixels and as JPEGs. They take turns (--quick: 3, else 7), each
warmed up, and the median of each turn's ratio counts. Then a pass over 100,000 images of 32 px from mapped shards: by
how much the memory of the process grows after its first tenth (pages of the files are the system's, and not counted).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from sightline import scaffold
from sightline.config import write_value
from sightline.data import loader
from sightline.data.ingest import ingest
from sightline.data.loader import Images, load
from sightline.data.shards import preprocess
from sightline.images.normalise import MEAN, STD
from sightline.models.zoo import names
from sightline.project import Paths
from sightline.recipe import Recipe
from sightline.train import batches
from sightline.train.memory import keep_freed
from sightline.train.schedule import plan

if TYPE_CHECKING:
    from collections.abc import Callable

MARKS = {"raw": 8.0, "jpeg": 4.5, "memory_growth_mb": 20.0}
RECIPE = Recipe(epochs=1, batch_size=64, size=224, zoom=0.08)
STORED, BATCH, PASSES = 256, 64, 4
SMALL = {"images": 100_000, "side": 32, "shard": 1024}


def main() -> None:
    """Measure, print the table and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three turns over fewer files")
    parser.add_argument("--photos", type=Path, help="folder of photos to make the JPEGs of")
    given = parser.parse_args()
    # Everything stays on the disk, however much memory there is.
    loader.MEMORY_SHARE = 0.0
    keep_freed()  # as training does before its first step
    with tempfile.TemporaryDirectory() as scratch:
        files = photos(Path(scratch) / "photos", 320 if given.quick else 960, given.photos)
        ways = {"theirs": theirs(files)}
        ways |= {store: ours(shards(files, Path(scratch) / store, store)) for store in ("raw", "jpeg")}
        rates = measure(ways, 3 if given.quick else 7)
        figures = {name: statistics.median(values) for name, values in rates.items()}
        print(f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}")
        print(f"ImageFolder + DataLoader   {figures['theirs']:7.0f} images/s")
        for store in ("raw", "jpeg"):
            ratio = statistics.median(mine / other for mine, other in zip(rates[store], rates["theirs"], strict=True))
            print(f"{store + ' shards':26} {figures[store]:7.0f} images/s  {ratio:.1f} × (mark {MARKS[store]:g})")
            figures |= {store: ratio, f"{store}_images_per_second": figures[store]}
        figures |= small_images(Path(scratch) / "small")
    met = figures["raw"] >= MARKS["raw"] and figures["jpeg"] >= MARKS["jpeg"]
    met = met and figures["memory_growth_mb"] <= MARKS["memory_growth_mb"]
    print(json.dumps({"name": "loader", "figures": figures, "marks": MARKS, "met": met}))


def measure(ways: dict[str, Callable[[], int]], turns: int) -> dict[str, list[float]]:
    """Images per second of each way at each turn; before that, each is run once."""
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            count = way()
            if turn:
                rates[name].append(count / (time.perf_counter() - started))
    return rates


def photos(folder: Path, count: int, origin: Path | None) -> Path:
    """JPEGs of 500×375 in two class folders."""
    rng = np.random.default_rng(0)
    places = sorted(path for path in origin.rglob("*") if path.suffix.lower() in {".jpg", ".jpeg"}) if origin else []
    for number, place in zip(range(count), cycle(places or [None]), strict=False):
        part = folder / "ab"[number % 2]
        part.mkdir(parents=True, exist_ok=True)
        if place is None:
            rough = Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).resize((500, 375))
            fine = np.asarray(rough) * 0.9 + rng.integers(0, 26, (375, 500, 3))
            image = Image.fromarray(fine.astype(np.uint8))
        else:
            with Image.open(place) as opened:
                left, top = rng.uniform(0, 0.1, 2) * opened.size
                image = opened.convert("RGB").resize((500, 375), box=(left, top, *(0.9 * np.array(opened.size))))
        image.save(part / f"{number:05d}.jpg", quality=90)
    return folder


def shards(files: Path, project: Path, store: str) -> Images:
    """The training images of a project around `files`."""
    scaffold.init(project, str(files), None, "loader", lambda _: None)
    values = {"preprocess.size": STORED, "preprocess.store": store}
    for key, value in values.items():
        write_value(project, key, value)
    paths = Paths(project)
    ingest(paths, "target")
    preprocess(paths, "target")
    return load(paths.shards("target"), "train")


def theirs(files: Path) -> Callable[[], int]:
    """A pass over the files as torchvision's examples load them."""
    names()  # makes torchvision importable beside a CPU build of torch
    from torch.utils.data import DataLoader
    from torchvision import transforms
    from torchvision.datasets import ImageFolder

    change = transforms.Compose(
        [
            transforms.RandomResizedCrop(RECIPE.size),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(MEAN, STD),
        ]
    )
    batches = DataLoader(
        ImageFolder(str(files), change),
        batch_size=BATCH,
        shuffle=True,
        num_workers=os.cpu_count() or 1,
        persistent_workers=True,
    )
    return lambda: sum(len(labels) for _, labels in batches)


def ours(images: Images, recipe: Recipe = RECIPE) -> Callable[[], int]:
    """A few passes as training reads and augments them."""
    schedule = plan(replace(recipe, epochs=PASSES), len(images))

    def run() -> int:
        count = 0
        with batches.reader(images, recipe, schedule, 0) as read:
            for step in range(schedule.steps):
                count += len(read(step)[0])
        return count

    return run


def small_images(folder: Path) -> dict[str, float]:
    """Growth of this process's own memory, MB, and images per second over a pass from mapped shards."""
    images = noise_shards(folder)
    recipe = Recipe(epochs=1, batch_size=250)
    schedule = plan(recipe, len(images))
    started, sizes = time.perf_counter(), []
    with batches.reader(images, recipe, schedule, 0) as read:
        for step in range(schedule.steps):
            read(step)
            sizes.append(own_memory())
    rate = len(images) / (time.perf_counter() - started)
    growth = max(sizes) - max(sizes[: len(sizes) // 10])
    print(f"{len(images):,} images of {SMALL['side']} px: {rate:,.0f} images/s, memory grows by {growth:.1f} MB")
    return {"memory_growth_mb": growth, "small_images_per_second": rate}


def noise_shards(folder: Path) -> Images:
    """Shards of noise, as `preprocess` writes them."""
    rng, rows, side = np.random.default_rng(0), SMALL["shard"], SMALL["side"]
    folder.mkdir()
    parts = []
    for number, first in enumerate(range(0, SMALL["images"], rows)):
        count = min(rows, SMALL["images"] - first)
        name = f"train-{number:05d}"
        np.save(folder / f"{name}.npy", rng.integers(0, 256, (count, side, side, 3), dtype=np.uint8))
        np.save(folder / f"{name}.labels.npy", rng.integers(0, 2, count))
        parts.append({"role": "train", "name": name, "rows": count})
    (folder / "index.json").write_text(json.dumps({"size": side, "classes": ["a", "b"], "shards": parts}))
    return load(folder, "train")


def own_memory() -> float:
    """Megabytes in memory that are no file's (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("RssAnon:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
