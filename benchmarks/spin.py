"""Images per second of training by how long OpenMP's threads spin while they wait: alone, and beside two busy loops.

    python benchmarks/spin.py [--quick]

Each value of GOMP_SPINCOUNT trains the cnn at 32 px by the production loop, in a process of its own with the usual
number of threads; the values take turns (--quick: 1, else 5), and medians count. Beside load the mark is for the value
that Sightline sets against OpenMP's own default; on quiet cores for what it loses. The weights are compared bit by bit.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import sightline

if TYPE_CHECKING:
    from collections.abc import Iterator

DEFAULT = "default"
VALUES = (DEFAULT, "0", "1000", "3000", "10000", "30000")
LOADS = {"quiet": 0, "busy": 2}
"""Name of a situation, and its number of busy loops."""
MARKS = {"busy": 2.0, "quiet": 0.97}
"""Least ratio of the value that Sightline sets to OpenMP's default."""
COUNT, EPOCHS = 512, 2
CHILD = "--child"


def main() -> None:
    """Measure every value and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one turn instead of five")
    parser.add_argument(CHILD, action="store_true", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.child:
        train()
        return
    rows = measure(1 if words.quick else 5)
    figures = {f"{load}_{value}": statistics.median(rates) for (load, value), (rates, _) in rows.items()}
    for value in VALUES:
        told = "  ".join(f"{load} {figures[f'{load}_{value}']:6.0f} images/s" for load in LOADS)
        print(f"{value:>8}  {told}")
    for load in LOADS:
        figures[load] = figures[f"{load}_{sightline.SPINS}"] / figures[f"{load}_{DEFAULT}"]
    digests = {digest for _, found in rows.values() for digest in found}
    figures["digests"] = len(digests)
    print(f"{platform.machine()}, {os.cpu_count()} cores; {len(digests)} different weights")
    met = len(digests) == 1 and all(figures[load] >= mark for load, mark in MARKS.items())
    print(json.dumps({"name": "spin", "figures": figures, "marks": {**MARKS, "digests": 1}, "met": met}))


def measure(turns: int) -> dict[tuple[str, str], tuple[list[float], list[str]]]:
    """Images per second and digests of the weights, by situation and value."""
    rows: dict[tuple[str, str], tuple[list[float], list[str]]] = {key: ([], []) for key in product(LOADS, VALUES)}
    for _ in range(turns):
        for (load, value), (rates, digests) in rows.items():
            with busy(LOADS[load]):
                rate, digest = trained(value)
            rates.append(rate)
            digests.append(digest)
    return rows


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """So many processes that do nothing but compute."""
    children = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()


def trained(value: str) -> tuple[float, str]:
    """Images per second of a fresh process with this value, and the digest of its weights."""
    given = {key: text for key, text in os.environ.items() if key not in {"GOMP_SPINCOUNT", "OMP_WAIT_POLICY"}}
    # The default is what OpenMP does without the variable: it counts this far where no policy is given.
    given["GOMP_SPINCOUNT"] = "300000" if value == DEFAULT else value
    done = subprocess.run([sys.executable, __file__, CHILD], env=given, capture_output=True, text=True, check=True)
    rate, digest = json.loads(done.stdout.splitlines()[-1])
    return rate, digest


def train() -> None:
    """The child: train on noise that tells the class, and print images per second and the digest of the weights."""
    import torch

    from sightline.data.loader import Images
    from sightline.digests import digest_of
    from sightline.models.zoo import build
    from sightline.recipe import Recipe
    from sightline.train import loop
    from sightline.train.checkpoint import Checkpoint

    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(COUNT) % 10
    noise = torch.randint(0, 120, (COUNT, 3, 32, 32), generator=generator)
    images = Images((noise + labels.view(-1, 1, 1, 1) * 12).to(torch.uint8), labels, tuple("0123456789"))
    torch.manual_seed(0)
    model = build("cnn", 10, 32)
    started = time.perf_counter()
    with TemporaryDirectory() as folder:
        loop.train(model, images, images, Recipe(epochs=EPOCHS), 0, Checkpoint(Path(folder, "x")), lambda _: None)
    rate = COUNT * EPOCHS / (time.perf_counter() - started)
    print(json.dumps([rate, digest_of([value.tolist() for value in model.state_dict().values()])]))


if __name__ == "__main__":
    main()
