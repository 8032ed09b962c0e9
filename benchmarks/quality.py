"""What the quality findings find of faults that were planted, beside CleanVision on the same files.

`--data FOLDER` holds each set as FOLDER/SET/SET.tar, class folders inside, and FOLDER/SET/manifest.json, whose `files`
have `path`, `label` and perhaps `group`. Planted on steel and on the source: 3 % exact copies, 3 % near copies (resized
to 0.5 … 1, JPEG quality 50 … 95, or cropped by at most 10 % a side), 2 % blank images and 2 % damaged files; on steel
and apple: 5 % flipped labels, and 15 % of one class given as another, three draws each. Turned: rotated and mirrored
copies on steel and the source. Jig: 2,000 made photographs of one kind of part with 60 copies (`quality_jig.py`). Then
all sets as they are. `--peer PYTHON`, of an environment made with `pip install cleanvision imagededup`, runs the peers.

Precision of near copies: share of the joined pairs with a planted image that were planted; the pairs that a set had
before are counted beside it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import quality_copies
from hostile import make_project
from PIL import Image
from quality_jig import Jig
from quality_planted import Found, Given, plant, unpack

from sightline.data import ingest, manifest
from sightline.data.labels.label_errors import suspects
from sightline.data.labels.texture import texture
from sightline.data.quality import findings
from sightline.params import Validate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from sightline.project import Paths

SETS = {
    "steel": "target_steel_neu",
    "apple": "target_plant_apple",
    "signs": "target_traffic_signs",
    "source": "source_tiny_imagenet",
}
FLIPPED, MIXED, DRAWS = 0.05, 0.15, 3
MARKS = {
    "near_recall": 0.95,
    "near_precision": 0.95,
    "label_recall": 0.8,
    "label_precision": 0.7,
    "rows_below_cleanvision": 0,
    **quality_copies.MARKS,
}
KNOWN = (("steel", "copies", 1), ("source", "contradictions", 20), ("signs", "ungrouped", 1))
"""Faults that the sets are known to have: the set, the finding, the least number of cases."""


def main() -> None:
    """Plant, look, compare, then one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="steel alone, one draw of flipped labels, no peer")
    parser.add_argument("--data", type=Path, required=True, help="a folder with the sets")
    parser.add_argument("--peer", help="python of an environment with CleanVision")
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        sets = {name: unpack(given.data / long, Path(scratch)) for name, long in SETS.items() if name in wanted(given)}
        for name in ("steel",) if given.quick else ("steel", "source"):
            figures[name] = planted(name, sets[name], None if given.quick else given.peer)
        for name in ("steel",) if given.quick else ("steel", "source"):
            files = [one["path"] for one in sets[name].files]
            figures[f"turned_{name}"] = quality_copies.turned(name, sets[name].folder, files, given.peer)
        figures["jig"] = quality_copies.jig(Jig(parts=300, copies=20) if given.quick else Jig())
        for name in ("steel",) if given.quick else ("steel", "apple"):
            figures |= wrong_labels(name, sets[name], 1 if given.quick else DRAWS)
        for name, one in sets.items():
            figures[f"{name}_as_it_is"] = as_it_is(one)
        if not given.quick:
            figures["signs_with_groups"] = grouped(sets["signs"])
    print(json.dumps({"name": "quality", "figures": figures, "marks": MARKS, "met": met(figures)}))


def wanted(given: argparse.Namespace) -> tuple[str, ...]:
    """The sets that this run looks at."""
    return ("steel",) if given.quick else tuple(SETS)


def met(figures: dict[str, Any]) -> bool:
    """Whether every figure keeps its mark."""
    sets = [figures[name] for name in ("steel", "source") if name in figures]
    labels = [row for name, row in figures.items() if name.startswith(("labels_", "habit_"))]
    return (
        all(row["near"]["recall"] >= MARKS["near_recall"] for row in sets)
        and all(row["near"]["precision"] >= MARKS["near_precision"] for row in sets)
        and all(row["recall"] >= MARKS["label_recall"] for row in labels)
        and all(row["precision"] >= MARKS["label_precision"] for row in labels)
        and sum(row.get("rows_below_cleanvision", 0) for row in sets) <= MARKS["rows_below_cleanvision"]
        and all(
            figures[f"{name}_as_it_is"].get(one, 0) >= least
            for name, one, least in KNOWN
            if f"{name}_as_it_is" in figures
        )
        and all(row["recall"] >= MARKS["turned_recall"] for name, row in figures.items() if name.startswith("turned_"))
        and figures["jig"]["recall"] >= MARKS["jig_recall"]
        and figures["jig"]["precision"] >= MARKS["jig_precision"]
        and figures["jig"]["largest_group"] <= MARKS["jig_largest_group"]
        and figures.get("signs_with_groups", {"split_groups": 0})["split_groups"] == 0
    )


def planted(name: str, given: Given, peer: str | None) -> dict[str, Any]:
    """Recall and precision of each kind of fault on a copy of the set."""
    with tempfile.TemporaryDirectory() as scratch:
        paths = make_project(Path(scratch))
        images = paths.raw("target")
        truth, suspected = plant(given, images)
        start = time.perf_counter()
        rows = ingested(paths)
        seconds = time.perf_counter() - start
        ours = told(rows)
        figures: dict[str, Any] = {kind: score(truth[kind], ours[kind], suspected) for kind in truth}
        figures["seconds"] = round(seconds, 1)
        figures["near_pairs_before"] = len([pair for pair in ours["near"] if not pair & suspected])
        print(
            f"{name}: {len(rows):,} files, {seconds:.1f} s; {figures['near_pairs_before']} near pairs were there before"
        )
        if peer:
            figures |= beside(figures, cleanvision(peer, images), truth, suspected)
        for kind in truth:
            print(f"  {kind:8}", figures[kind], figures.get("cleanvision", {}).get(kind, ""))
        return figures


def told(rows: pd.DataFrame) -> Found:
    """What the manifest and the findings say."""
    readable = rows[rows["width"].notna()]
    apart = readable.drop_duplicates("sha256").dropna(subset="alike")
    blanks = readable[readable["contrast"] < Validate().blank]
    unread = rows[rows["width"].isna()]
    return {
        "exact": pairs(readable, "sha256"),
        "near": pairs(apart, "alike"),
        "blank": set(blanks["path"]),
        "damaged": set(unread["path"]),
    }


def pairs(rows: pd.DataFrame, key: str) -> set[frozenset[str]]:
    """Every two paths with the same value of `key`."""
    return {frozenset(pair) for paths in rows.groupby(key)["path"].agg(list) for pair in combinations(paths, 2)}


def score(truth: set[Any], found: set[Any], suspected: Iterable[str]) -> dict[str, Any]:
    """Recall, and precision among what concerns a planted file."""
    planted_files = set(suspected)
    concerned = {one for one in found if (one & planted_files if isinstance(one, frozenset) else True)}
    right = len(truth & concerned)
    return {
        "planted": len(truth),
        "recall": round(right / len(truth), 3),
        "precision": round(right / max(len(concerned), 1), 3),
    }


def cleanvision(peer: str, images: Path) -> Found:
    """The same kinds as CleanVision tells them; a blank image counts where any of its checks flags it."""
    done = subprocess.run([peer, "-c", PEER, str(images)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"CleanVision failed:\n{done.stderr[-2000:]}")
    answer = json.loads(done.stdout.splitlines()[-1])
    relative = {
        kind: [[str(Path(path).relative_to(images)) for path in one] for one in answer[kind]] for kind in answer
    }
    found: Found = {
        kind: {frozenset(pair) for one in relative[kind] for pair in combinations(one, 2)} for kind in ("exact", "near")
    }
    return found | {"blank": {path for one in relative["blank"] for path in one}, "damaged": set()}


PEER = """
import json, os, sys
from cleanvision import Imagelab
folder = sys.argv[1]
from PIL import Image
whole = []
for place, _, names in os.walk(folder):
    for name in names:
        try:
            Image.open(os.path.join(place, name)).load()
        except Exception:
            continue
        whole.append(os.path.join(place, name))
lab = Imagelab(filepaths=whole)
lab.find_issues(n_jobs=2)
issues = lab.issues
flags = [f"is_{name}_issue" for name in ("low_information", "dark", "light", "blurry")]
print(json.dumps({
    "exact": lab.info["exact_duplicates"]["sets"],
    "near": lab.info["near_duplicates"]["sets"] + lab.info["exact_duplicates"]["sets"],
    "blank": [[path] for path in issues.index[issues[flags].any(axis=1)]],
}))
"""
"""CleanVision stops at a damaged file, so only those are given to it that Pillow reads."""


def beside(figures: dict[str, Any], theirs: Found, truth: Found, suspected: frozenset[str]) -> dict[str, Any]:
    """CleanVision's rows, and in how many of them it finds more."""
    exact = {pair for pair in theirs["near"] if pair in theirs["exact"]}
    rows = {kind: score(truth[kind], theirs[kind] - (exact if kind == "near" else set()), suspected) for kind in truth}
    del rows["damaged"]
    below = sum(figures[kind]["recall"] < rows[kind]["recall"] for kind in rows)
    return {"cleanvision": rows, "rows_below_cleanvision": below}


def wrong_labels(name: str, given: Given, draws: int) -> dict[str, dict[str, float]]:
    """Recall and precision of the likely label errors, where labels were changed at random, and by a habit."""
    truth = np.array([one["label"] for one in given.files], dtype=object)
    groups = np.array([one.get("group") or one["path"] for one in given.files], dtype=object)
    features = np.stack([texture(Image.open(given.folder / one["path"])) for one in given.files]).astype(np.float64)
    figures: dict[str, dict[str, float]] = {}
    for kind, change in (("labels", at_random), ("habit", by_habit)):
        rows = []
        for seed in range(draws):
            labels = change(truth, np.random.default_rng(seed))
            found = {one.position for one in suspects(features, labels, groups)}
            wrong = set(np.flatnonzero(labels != truth).tolist())
            right = len(found & wrong)
            rows.append((right / len(wrong), right / max(1, len(found))))
        (recall, precision), spread = np.mean(rows, 0).round(3).tolist(), np.std(rows, 0).round(3).tolist()
        row = {"recall": recall, "precision": precision, "recall_std": spread[0], "precision_std": spread[1]}
        figures[f"{kind}_{name}"] = row
        print(f"{name}: {kind}", row)
    return figures


def at_random(truth: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """The labels, 5 % of them changed to any other class."""
    labels, names = truth.copy(), np.unique(truth)
    for row in rng.choice(len(truth), round(FLIPPED * len(truth)), replace=False):
        labels[row] = rng.choice(names[names != truth[row]])
    return labels


def by_habit(truth: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """The labels, 15 % of one class given as another one, as by a person who mixes them up."""
    labels = truth.copy()
    one, other = rng.choice(np.unique(truth), 2, replace=False)
    rows = np.flatnonzero(truth == one)
    labels[rng.choice(rows, round(MIXED * len(rows)), replace=False)] = other
    return labels


def as_it_is(given: Given) -> dict[str, int]:
    """Findings about a set as it came: id → cases."""
    with tempfile.TemporaryDirectory() as scratch:
        paths = make_project(Path(scratch))
        shutil.copytree(given.folder, paths.raw("target"), ignore=shutil.ignore_patterns("*.json"))
        found = findings(ingested(paths), Validate())
    print(given.folder.name, "as it is:", {one.id: one.cases for one in found})
    return {one.id: one.cases for one in found}


def grouped(given: Given) -> dict[str, int]:
    """The set with its groups told in a table: groups on two sides, and whether it still looks ungrouped."""
    with tempfile.TemporaryDirectory() as scratch:
        paths = make_project(Path(scratch))
        shutil.copytree(given.folder, paths.raw("target"), ignore=shutil.ignore_patterns("*.json"))
        table = pd.DataFrame(given.files)[["path", "label", "group"]]
        table.to_csv(paths.raw("target") / "labels.csv", index=False)
        rows = ingested(paths)
        found = {one.id for one in findings(rows, Validate())}
    sides = rows[rows["role"].notna()].groupby("group")["role"].nunique()
    figures = {"groups": len(sides), "split_groups": int((sides > 1).sum()), "ungrouped": int("ungrouped" in found)}
    print(given.folder.name, "with groups:", figures)
    return figures


def ingested(paths: Paths) -> pd.DataFrame:
    """The manifest of the project's images."""
    ingest.ingest(paths, "target")
    return manifest.read(paths.manifest("target"))


if __name__ == "__main__":
    main()
