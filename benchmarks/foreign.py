"""How well a champion tells images that it never heard of, beside what its answers alone would tell.

    python benchmarks/foreign.py --data FOLDER --work FOLDER [--quick]

Champions of steel and signs, trained with the recipe of a new project and kept in the work folder, are asked about
noise, digits and the other sets. AUROC and the share that is found at 1 % false alarms, as the bundle calls them, are
told beside the maximum softmax probability (Hendrycks and Gimpel 2017) and the energy score (Liu et al. 2020).
"""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy.special import logsumexp
from sets import SETS, files_of
from sklearn.metrics import roc_auc_score

from sightline.data import manifest
from sightline.heads.temperature import softmax
from sightline.images.reading import decode
from sightline.models.predictor import Predictor
from sightline.project import Paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

CHAMPIONS = ("steel", "signs")
IMAGES = 300
"""Of each foreign kind."""
QUICK = ("--set", "finetune.scratch.min_steps=60", "--set", "finetune.scratch.epochs=1", "--set", "preprocess.size=32")
MARKS = {"auroc": 0.97, "found": 0.9}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One champion against one kind of foreign images."""

    champion: str
    kind: str
    auroc: float
    found: float
    """Share of the foreign images that the bundle calls foreign."""
    softmax: float
    """AUROC of the maximum softmax probability."""
    energy: float
    """AUROC of the energy score."""


def main() -> None:
    """Train what is not there yet, ask, print a table, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the real sets")
    parser.add_argument("--work", type=Path, required=True, help="folder for the champions, kept from run to run")
    parser.add_argument("--quick", action="store_true", help="champions of 60 steps at 32 px")
    words = parser.parse_args()
    folders = {name: files_of(name, words.data, words.work / "sets")[0] for name in (*SETS, "digits")}
    rows: list[Row] = []
    alarms = {}
    print("champion  foreign kind  AUROC  found   softmax  energy")
    for name in CHAMPIONS:
        paths = champion(name, folders[name], words.work, QUICK if words.quick else ())
        others = {other: read(folder) for other, folder in folders.items() if other != name}
        found, alarms[name] = measure(name, paths, {**others, **noise()})
        rows += found
    figures = {"auroc": min(row.auroc for row in rows), "found": min(row.found for row in rows)}
    ahead = all(row.auroc >= max(row.softmax, row.energy) for row in rows)
    met = ahead and all(figures[name] >= mark for name, mark in MARKS.items())
    told = {**figures, "false_alarms": alarms, "rows": [asdict(row) for row in rows]}
    print(json.dumps({"name": "foreign", "figures": told, "marks": MARKS, "met": met}))


def champion(name: str, images: Path, work: Path, settings: Sequence[str]) -> Paths:
    """A project around a set, run once."""
    root = work / f"{name}-{'quick' if settings else 'whole'}"
    if not root.is_dir():
        sightline(work, "init", str(root), "--name", name, "--images", str(images))
    if not list(root.glob("runs/evaluate/*/bundle/bundle.json")):
        sightline(root, "run", *settings)
    return Paths(root)


def sightline(folder: Path, *words: str) -> None:
    """One command; a run that the gate refused leaves its bundle too."""
    done = subprocess.run([sys.executable, "-P", "-m", "flows.cli", *words], cwd=folder, env=os.environ, check=False)
    if done.returncode and words[0] != "run":
        raise SystemExit(f"sightline {' '.join(words)} ended with {done.returncode}")


def read(folder: Path) -> list[bytes]:
    """Some files of a set."""
    files = sorted(file for file in folder.glob("*/*") if file.suffix.lower() in {".png", ".jpg", ".jpeg", ".bmp"})
    chosen = np.random.default_rng(0).permutation(len(files))[:IMAGES]
    return [files[place].read_bytes() for place in chosen.tolist()]


def noise() -> dict[str, list[bytes]]:
    """Uniform noise in colour and in grey, and normal noise of finer grain."""
    rng = np.random.default_rng(0)
    grey = [np.repeat(rng.integers(0, 256, (64, 64, 1), dtype=np.uint8), 3, axis=2) for _ in range(IMAGES)]
    return {
        "noise": [png(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)) for _ in range(IMAGES)],
        "grey noise": [png(one) for one in grey],
        "soft noise": [png(rng.normal(128, 40, (200, 200, 3)).clip(0, 255).astype(np.uint8)) for _ in range(IMAGES)],
    }


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels (H, W, 3) as a file."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def measure(name: str, paths: Paths, foreign: dict[str, list[bytes]]) -> tuple[list[Row], dict[str, float]]:
    """A row for each kind of foreign images; false alarms among the test images, and microseconds of a score."""
    (bundle,) = paths.root.glob("runs/evaluate/*/bundle")
    predictor = Predictor.load(bundle)
    rows = manifest.read(paths.manifest("target"))
    rows = rows[(rows["status"] == manifest.OK) & (rows["role"] == "test")]
    usual = scores(predictor, [(paths.raw("target") / path).read_bytes() for path in rows["path"]])
    told = []
    for kind, files in foreign.items():
        other = scores(predictor, files)
        auroc, by_softmax, by_energy = (auc(usual[place], other[place]) for place in range(3))
        row = Row(
            champion=name,
            kind=kind,
            auroc=auroc,
            found=float((other[0] > 1).mean()),
            softmax=by_softmax,
            energy=by_energy,
        )
        print(f"{name:8}  {kind:12}  {auroc:.3f}  {row.found:.3f}  {by_softmax:7.3f}  {by_energy:6.3f}", flush=True)
        told.append(row)
    alarms = {"false_alarms": float((usual[0] > 1).mean()), "images": len(rows), "score_us": cost(predictor)}
    print(f"{name:8}  {alarms['false_alarms']:.3f} of {len(rows)} test images, {alarms['score_us']:.0f} µs a score")
    return told, alarms


def scores(predictor: Predictor, images: Sequence[bytes]) -> NDArray[np.float64]:
    """Distance, negative maximum softmax probability and energy (3, N); the higher, the more foreign."""
    if predictor.known is None:
        raise SystemExit("this bundle tells no foreign images: it has too few calibration images")
    found = predictor.outputs(np.stack([decode(data, predictor.card.size) for data in images]))
    sure = softmax(found.logits, predictor.card.temperature).max(axis=1)
    return np.stack([predictor.known.scores(found.described), -sure, -logsumexp(found.logits, axis=1)])


def auc(usual: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Chance that a foreign image scores higher than a usual one."""
    return float(roc_auc_score(np.repeat([0, 1], [len(usual), len(other)]), np.concatenate([usual, other])))


def cost(predictor: Predictor) -> float:
    """What the score adds to an answer for one image: microseconds of processor time."""
    from sightline.models.foreign import describe

    pixels = np.zeros((1, predictor.card.size, predictor.card.size, 3), dtype=np.uint8)
    features = np.zeros((1, predictor.model.width), dtype=np.float32)
    logits = np.zeros((1, len(predictor.card.classes)), dtype=np.float32)
    start = time.process_time()
    for _ in range(200):
        predictor.known.scores(describe(features, logits, pixels))  # type: ignore[union-attr]
    return (time.process_time() - start) / 200 * 1e6


if __name__ == "__main__":
    main()
