"""The harder near copies of `benchmarks/quality.py`: turned ones, and copies among photographs of one kind of part."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tempfile
import time
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import quality_jig
from hostile import make_project
from PIL import Image

from sightline.data import ingest, manifest

if TYPE_CHECKING:
    import pandas as pd

    from sightline.project import Paths

Pairs = set[frozenset[str]]

TURNED = 0.05
"""Share of a set of which a turned copy is planted."""
MARKS = {"turned_recall": 0.95, "jig_recall": 0.95, "jig_precision": 0.98, "jig_largest_group": 5}


def jig(given: quality_jig.Jig) -> dict[str, Any]:
    """Recall, precision and the largest group among photographs of one kind of part."""
    with tempfile.TemporaryDirectory() as scratch:
        paths = make_project(Path(scratch))
        truth = quality_jig.make(given, paths.raw("target"))
        rows, seconds = ingested(paths)
    found = near_pairs(rows)
    out = int((rows["status"] == manifest.QUARANTINED).sum())
    largest = int(rows["alike"][~rows["alike"].str.startswith(manifest.CROWD).fillna(True)].value_counts().max())
    figures = {**score(truth, found), "largest_group": largest, "quarantined": out, "seconds": seconds}
    print(f"jig: {len(rows):,} photographs", figures)
    return figures


def turned(name: str, folder: Path, files: list[str], peer: str | None) -> dict[str, Any]:
    """Recall and precision on a set with rotated and mirrored copies, beside two peers.

    Precision counts the pairs with a planted image; what the set had before is counted beside it.
    """
    with tempfile.TemporaryDirectory() as scratch:
        paths = make_project(Path(scratch))
        images = paths.raw("target")
        truth = plant(folder, files, images)
        rows, seconds = ingested(paths)
        planted = {path for pair in truth for path in pair if "/turned " in path}
        found = near_pairs(rows)
        concerned = {pair for pair in found if pair & planted}
        figures: dict[str, Any] = {**score(truth, concerned), "seconds": seconds}
        figures["near_pairs_before"] = len(found - concerned)
        if peer:
            figures |= {one: by_peer(peer, one, images, truth, planted) for one in ("cleanvision", "imagededup")}
    print(f"{name}, turned: {len(rows):,} files", figures)
    return figures


def plant(folder: Path, files: list[str], images: Path) -> Pairs:
    """Copy the files, and some of them once more, turned by quarters or mirrored, as JPEGs; the pairs."""
    for name in files:
        (images / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / name, images / name)
    rng = np.random.default_rng(0)
    pairs: Pairs = set()
    for number, row in enumerate(rng.permutation(len(files))[: round(TURNED * len(files))].tolist()):
        origin = Path(files[row])
        copy = origin.with_name(f"turned {origin.stem}.jpg")
        turn = list(Image.Transpose)[number % len(Image.Transpose)]
        Image.open(folder / origin).convert("RGB").transpose(turn).save(images / copy, quality=90)
        pairs.add(frozenset({str(origin), str(copy)}))
    return pairs


def ingested(paths: Paths) -> tuple[pd.DataFrame, float]:
    """The manifest of the project's images, and how long it took, seconds."""
    start = time.perf_counter()
    ingest.ingest(paths, "target")
    return manifest.read(paths.manifest("target")), round(time.perf_counter() - start, 1)


def near_pairs(rows: pd.DataFrame) -> Pairs:
    """Every two files that the manifest tells to be near copies, byte for byte the same ones left out."""
    rows = rows.drop_duplicates("sha256").dropna(subset="alike")
    rows = rows[~rows["alike"].str.startswith(manifest.CROWD)]
    return {frozenset(pair) for paths in rows.groupby("alike")["path"].agg(list) for pair in combinations(paths, 2)}


def score(truth: Pairs, found: Pairs) -> dict[str, float]:
    """Recall and precision."""
    right = len(truth & found)
    return {
        "planted": len(truth),
        "recall": round(right / max(len(truth), 1), 3),
        "precision": round(right / max(len(found), 1), 3),
    }


def by_peer(peer: str, name: str, images: Path, truth: Pairs, planted: set[str]) -> dict[str, float]:
    """The same figures of CleanVision or imagededup, by their own defaults."""
    start = time.perf_counter()
    done = subprocess.run([peer, "-c", PEERS[name], str(images)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    seconds = round(time.perf_counter() - start, 1)
    sets = json.loads(io.StringIO(done.stdout).readlines()[-1])
    found = {
        frozenset(str(Path(path).relative_to(images)) for path in pair) for one in sets for pair in combinations(one, 2)
    }
    return {**score(truth, {pair for pair in found if pair & planted}), "seconds": seconds}


PEERS = {
    "cleanvision": """
import json, sys
from cleanvision import Imagelab
lab = Imagelab(data_path=sys.argv[1])
lab.find_issues({"near_duplicates": {}}, n_jobs=2)
print(json.dumps(lab.info["near_duplicates"]["sets"]))
""",
    "imagededup": """
import json, os, sys
from imagededup.methods import PHash
folder = sys.argv[1]
method = PHash(verbose=False)
names = [os.path.join(place, name) for place, _, files in os.walk(folder) for name in files]
codes = {name: method.encode_image(image_file=name) for name in names}
found = method.find_duplicates(encoding_map=codes)
print(json.dumps([[one, other] for one, others in found.items() for other in others]))
""",
}
"""What each runs: its own search for near duplicates below a folder, printed as a list of groups."""
